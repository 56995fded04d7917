/* The threads of this process that help whoever computes, and how they are called.

   After a call a helper waits a little for the next one, giving way to whoever wants its
   processor, and then sleeps. One that comes late finds less to do, or nothing, and nobody
   waits for it: a call is over when its work is, and only helpers that are inside must
   leave first. There is one crew; who finds it at work computes alone. */

#pragma once

#include <pthread.h>

#include "team.h"

enum { PATIENCE = 400 }; /* times a helper lets others go first before it sleeps */
typedef void Job(Hand hand, void *what);
static struct {
  pthread_mutex_t in_use, door;
  pthread_cond_t bell;
  int hired, threads, sleeping; /* helpers there are, threads of this call; at the door */
  atomic_int calls, is_open, inside;
  Job *job;
  void *what;
  Work *work;
} crew = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER,
          0, 0, 0, 0, 0, 0, 0, 0, 0};

static void wait_for_call(int heard) {
  for (int i = 0; atomic_load(&crew.calls) == heard && i < SPINS + PATIENCE; i++)
    wait_a_little(i);
  if (atomic_load(&crew.calls) != heard) return;
  pthread_mutex_lock(&crew.door);
  crew.sleeping++;
  while (atomic_load(&crew.calls) == heard) pthread_cond_wait(&crew.bell, &crew.door);
  crew.sleeping--;
  pthread_mutex_unlock(&crew.door);
}

static void *help(void *number) {
  for (int thread = (int)(intptr_t)number, heard = 0;;) {
    wait_for_call(heard);
    heard = atomic_load(&crew.calls);
    atomic_fetch_add(&crew.inside, 1);
    if (atomic_load(&crew.is_open) && thread < crew.threads)
      crew.job((Hand){thread, crew.threads, 0, 0, 0, crew.work}, crew.what);
    atomic_fetch_sub(&crew.inside, 1);
  }
  return 0;
}

static void ring(void) {
  pthread_mutex_lock(&crew.door);
  atomic_fetch_add(&crew.calls, 1);
  if (crew.sleeping) pthread_cond_broadcast(&crew.bell);
  pthread_mutex_unlock(&crew.door);
}

/* Start what helpers are missing; with fewer than asked for it takes longer, no more. */
static void hire(int helpers) {
  pthread_t id;
  while (crew.hired < helpers &&
         pthread_create(&id, 0, help, (void *)(intptr_t)(crew.hired + 1)) == 0)
    pthread_detach(id), crew.hired++;
}

/* Have `job` done by up to `threads` threads, this one being number 0. */
static void together(int threads, Job *job, void *what) {
  Work work = {0};
  if (threads == 1 || pthread_mutex_trylock(&crew.in_use)) {
    job((Hand){0, 1, 0, 0, 0, &work}, what);
    return;
  }
  threads = least(threads, MAX_THREADS);
  hire(threads - 1);
  crew.threads = threads, crew.job = job, crew.what = what, crew.work = &work;
  atomic_store(&crew.is_open, 1);
  ring();
  job((Hand){0, threads, 0, 0, 0, &work}, what);
  atomic_store(&crew.is_open, 0);
  for (int i = 0; atomic_load(&crew.inside); i++) wait_a_little(i);
  pthread_mutex_unlock(&crew.in_use);
}
