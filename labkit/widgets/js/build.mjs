// Bundles src/*.js into ../static/vendor/, each one ES module. `make js` calls it.
import { build } from 'esbuild';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';

const out = '../static/vendor';
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
await build({
  entryPoints: readdirSync('src').map((name) => `src/${name}`),
  bundle: true,
  format: 'esm',
  minify: true,
  target: 'es2022',
  loader: { '.wasm': 'binary' },
  outdir: out,
  legalComments: 'linked',
  logLevel: 'warning',
});
