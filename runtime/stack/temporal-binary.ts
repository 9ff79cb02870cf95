import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { TruecountError } from '../../core/errors.js';
import { packageFile } from '../package-root.js';
import { cached, cacheRoot } from './cache.js';
import type { Log } from './component.js';
import { runTool } from './tool.js';

/** The CLI's version, as pinned in assets/temporal/go.mod. It brings server 1.29 and the UI. */
export const TEMPORAL_VERSION = '1.5.1';
const CACHE_NAME = `temporal-${TEMPORAL_VERSION}`;
const PACKAGE = 'github.com/temporalio/cli/cmd/temporal';

export interface Binary {
  readonly path: string;
  /** Where it comes from, for people. */
  readonly from: string;
}

/** A file of that name in a folder of PATH. */
export function onPath(name: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((dir) => dir !== '')
    .map((dir) => join(dir, name))
    .find((path) => existsSync(path));
}

/** The `temporal` that is there now: on PATH, or built before. */
export function findTemporal(): Binary | undefined {
  const path = onPath('temporal');
  if (path !== undefined) return { path, from: `temporal on PATH (${path})` };
  const built = join(cacheRoot(), CACHE_NAME, 'temporal');
  return existsSync(built)
    ? { path: built, from: `built from the pinned source (${built})` }
    : undefined;
}

/** Version of the Go toolchain on PATH, such as `1.26.8`. */
export function goVersion(): string | undefined {
  try {
    const text = execFileSync('go', ['version'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return /go(\d+\.\d+(?:\.\d+)?)/.exec(text)?.[1];
  } catch {
    return undefined;
  }
}

/**
 * The `temporal` CLI: on PATH, else built with Go from the pinned module into the user's cache
 * (about three minutes on two cores, once).
 * @throws TruecountError `component_unavailable` if there is neither.
 */
export async function temporalBinary(log: Log): Promise<Binary> {
  const found = findTemporal();
  if (found !== undefined) return found;
  if (goVersion() === undefined) {
    throw new TruecountError(
      'component_unavailable',
      'there is no temporal and no Go to build it',
      {
        hint: 'install the Temporal CLI or Go 1.25, or set TRUECOUNT_TEMPORAL_ADDRESS',
      },
    );
  }
  const dir = await cached(CACHE_NAME, log, async (part) => {
    log(`temporal: building version ${TEMPORAL_VERSION} from source (about 3 min, once)`);
    for (const file of ['go.mod', 'go.sum']) {
      copyFileSync(packageFile('runtime', 'stack', 'assets', 'temporal', file), join(part, file));
    }
    await runTool('temporal', 'go', ['build', '-trimpath', '-o', join(part, 'temporal'), PACKAGE], {
      cwd: part,
      env: { ...process.env, GOFLAGS: '-mod=readonly -buildvcs=false', GOWORK: 'off' },
      log,
      doing: 'Go builds the server',
      hint: 'install the Temporal CLI, or set TRUECOUNT_TEMPORAL_ADDRESS to a server of yours',
    });
    for (const file of ['go.mod', 'go.sum']) rmSync(join(part, file));
  });
  const path = join(dir, 'temporal');
  return { path, from: `built from the pinned source (${path})` };
}
