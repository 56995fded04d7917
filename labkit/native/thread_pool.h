/* The process's thread pool: worker threads that help whoever computes.

   After a job a worker waits a little for the next one, giving way to whoever wants its
   processor, and then sleeps. One that comes late finds less to do, or nothing, and nobody
   waits for it: a job is over when its items are, and only workers that are inside it must
   leave first. There is one pool; a caller that finds it busy computes with its own thread
   alone, so that any number of threads may call at once. */

#pragma once

#include <pthread.h>

#include "work_queue.h"

enum { PATIENCE = 400 }; /* times a worker lets others go first before it sleeps */
typedef void Job(Worker worker, void *what);
static struct {
  pthread_mutex_t in_use, mutex;
  pthread_cond_t wake;
  int num_started, threads, sleeping; /* workers there are; threads of this job; asleep */
  atomic_int jobs, is_open, inside;   /* jobs so far; whether one may be joined; who has */
  Job *job;
  void *what;
  WorkQueue *queue;
} pool = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER,
          0, 0, 0, 0, 0, 0, 0, 0, 0};

static void wait_for_job(int seen) {
  for (int i = 0; atomic_load(&pool.jobs) == seen && i < SPINS + PATIENCE; i++)
    wait_a_little(i);
  if (atomic_load(&pool.jobs) != seen) return;
  pthread_mutex_lock(&pool.mutex);
  pool.sleeping++;
  while (atomic_load(&pool.jobs) == seen) pthread_cond_wait(&pool.wake, &pool.mutex);
  pool.sleeping--;
  pthread_mutex_unlock(&pool.mutex);
}

static void *run_worker(void *number) {
  for (int thread = (int)(intptr_t)number, seen = 0;;) {
    wait_for_job(seen);
    seen = atomic_load(&pool.jobs);
    atomic_fetch_add(&pool.inside, 1);
    if (atomic_load(&pool.is_open) && thread < pool.threads)
      pool.job((Worker){thread, pool.threads, 0, 0, 0, pool.queue}, pool.what);
    atomic_fetch_sub(&pool.inside, 1);
  }
  return 0;
}

static void wake_workers(void) {
  pthread_mutex_lock(&pool.mutex);
  atomic_fetch_add(&pool.jobs, 1);
  if (pool.sleeping) pthread_cond_broadcast(&pool.wake);
  pthread_mutex_unlock(&pool.mutex);
}

/* Start what workers are missing; with fewer than asked for it takes longer, no more. */
static void start_workers(int workers) {
  pthread_t id;
  while (pool.num_started < workers &&
         pthread_create(&id, 0, run_worker, (void *)(intptr_t)(pool.num_started + 1)) == 0)
    pthread_detach(id), pool.num_started++;
}

/* Have `job` done by up to `threads` threads, this one being number 0. */
static void run_together(int threads, Job *job, void *what) {
  WorkQueue queue = {0};
  if (threads == 1 || pthread_mutex_trylock(&pool.in_use)) {
    job((Worker){0, 1, 0, 0, 0, &queue}, what);
    return;
  }
  threads = least(threads, MAX_THREADS);
  start_workers(threads - 1);
  pool.threads = threads, pool.job = job, pool.what = what, pool.queue = &queue;
  atomic_store(&pool.is_open, 1);
  wake_workers();
  job((Worker){0, threads, 0, 0, 0, &queue}, what);
  atomic_store(&pool.is_open, 0);
  for (int i = 0; atomic_load(&pool.inside); i++) wait_a_little(i);
  pthread_mutex_unlock(&pool.in_use);
}
