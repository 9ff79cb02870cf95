import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createServer } from 'vite';
import type { ViteDevServer } from 'vite';
import { BATCH_MUTANTS, STREAM_MUTANTS } from '../mutations/mutants.js';
import type { Mutant } from '../mutations/mutants.js';

// A suite that catches nothing proves nothing: faults of one line, put into either compiler of rule
// sets, one after the other. The named cases of the contract catch every one of them.
const ROOT = resolve(import.meta.dirname, '..', '..');
const MINUTE_MS = 60_000;

let server: ViteDevServer;
let mutant: Mutant | null = null;

beforeAll(async () => {
  server = await createServer({
    ...{ root: ROOT, configFile: false, logLevel: 'error', appType: 'custom' },
    server: { middlewareMode: true, hmr: false, ws: false, watch: null },
    optimizeDeps: { noDiscovery: true },
    plugins: [
      {
        name: 'mutant',
        enforce: 'pre',
        transform: (code, id) =>
          mutant !== null && id === resolve(ROOT, mutant.file) ? applied(mutant, code) : undefined,
      },
    ],
  });
});

afterAll(async () => {
  await server.close();
});

function applied({ file, from, to }: Mutant, code: string): string {
  expect(code.split(from), `${file}: ${from}`).toHaveLength(2);
  return code.replace(from, () => to);
}

/** The case that tells this mutant (null: none) from core. */
async function caughtBy(which: 'stream' | 'batch', one: Mutant | null): Promise<string | null> {
  mutant = one;
  server.moduleGraph.invalidateAll();
  const path = '/test/mutations/first-difference.ts';
  const { firstDifference } = (await server.ssrLoadModule(path)) as {
    firstDifference: (which: 'stream' | 'batch') => Promise<string | null>;
  };
  return firstDifference(which);
}

describe.each([
  ['stream', STREAM_MUTANTS],
  ['batch', BATCH_MUTANTS],
] as const)('faults in the compiler of the %s', (which, mutants) => {
  it(
    'are many, and the compiler without one is right',
    async () => {
      expect(mutants.length).toBeGreaterThanOrEqual(20);
      expect(await caughtBy(which, null)).toBeNull();
    },
    MINUTE_MS,
  );

  it.each(mutants)(
    '$file: $from → $to',
    async (one) => {
      // Checked here, too: a transform that is never asked for would pass for a mutant.
      applied(one, readFileSync(resolve(ROOT, one.file), 'utf8'));
      expect(await caughtBy(which, one), 'a case that catches it').not.toBeNull();
    },
    5 * MINUTE_MS,
  );
});
