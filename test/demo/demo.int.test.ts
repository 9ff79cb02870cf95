import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { packageFile } from '../../runtime/package-root.js';
import { skipUnless } from '../support/skip-unless.js';

// The whole demo on a tenth of its load. It brings servers of its own, and compares by itself.
const itOnOwnStack = skipUnless(
  process.env['TRUECOUNT_TEMPORAL_ADDRESS'] === undefined,
  'servers are given: the demo kills and freezes what it starts itself',
);
const DEMO_MS = 300_000;

itOnOwnStack(
  'the demo ends with every served cell equal to the truth, and nothing broken',
  async () => {
    const args = [packageFile('dist', 'cli', 'demo', 'main.js'), '--clicks', '30000'];
    const { PATH, HOME, XDG_CACHE_HOME } = process.env;
    const env = { PATH, HOME, ...(XDG_CACHE_HOME === undefined ? {} : { XDG_CACHE_HOME }) };
    const { stdout } = await promisify(execFile)(process.execPath, args, { env, timeout: DEMO_MS });
    expect(stdout).toMatch(/audit +54 checks hold, 0 broken/);
    expect(stdout).toMatch(/forward again \(publication 5\): ([\d,]+) of \1 cells are the truth/);
    const [, served, equal] =
      /demo: (\d+) cells served, (\d+) equal to the truth, 0 different, 0 missing, 0 extra/.exec(
        stdout,
      ) ?? [];
    expect(Number(served)).toBeGreaterThan(10_000);
    expect(equal).toBe(served);
  },
  DEMO_MS,
);
