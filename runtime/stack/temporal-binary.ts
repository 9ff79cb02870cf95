import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { TruecountError } from '../../core/errors.js';
import { packageFile } from '../package-root.js';
import { cached, cacheRoot } from './cache.js';
import type { Log } from './component.js';
import { downloadTemporal, hasTemporalSdk } from './temporal-download.js';
import { runTool } from './tool.js';

/** The CLI's version, as pinned in assets/temporal/go.mod. It brings server 1.29 and the UI. */
export const TEMPORAL_VERSION = '1.5.1';
const DOWNLOADED = `temporal-${TEMPORAL_VERSION}-downloaded`;
const BUILT = `temporal-${TEMPORAL_VERSION}`;
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

/** The `temporal` that is there now: on PATH, or downloaded or built before. */
export function findTemporal(): Binary | undefined {
  const path = onPath('temporal');
  if (path !== undefined) return { path, from: `temporal on PATH (${path})` };
  return [downloaded(), built()].find((binary) => existsSync(binary.path));
}

/** What a shell calls the CLI by: its name, or its path where it is only in the user's cache. */
export function temporalCommand(find: () => Binary | undefined = findTemporal): string {
  return onPath('temporal') === undefined ? (find()?.path ?? 'temporal') : 'temporal';
}

function downloaded(): Binary {
  const path = join(cacheRoot(), DOWNLOADED, 'temporal');
  return { path, from: `downloaded by Temporal's SDK (${path})` };
}

function built(): Binary {
  const path = join(cacheRoot(), BUILT, 'temporal');
  return { path, from: `built from the pinned source (${path})` };
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

/** Where the CLI may come from; each of the last two says in its error why it can't. */
export interface TemporalSources {
  find(): Binary | undefined;
  download(log: Log): Promise<Binary>;
  goVersion(): string | undefined;
  build(log: Log): Promise<Binary>;
}

/**
 * The `temporal` CLI: on PATH or in the user's cache; else downloaded there by Temporal's SDK; else
 * built there with Go from the pinned module (about three minutes on two cores, once).
 * @throws TruecountError `component_unavailable` if none of them gives it.
 */
export async function temporalBinary(
  log: Log,
  sources: TemporalSources = { find: findTemporal, download, goVersion, build },
): Promise<Binary> {
  const found = sources.find();
  if (found !== undefined) return found;
  let why: string;
  try {
    return await sources.download(log);
  } catch (error) {
    why = error instanceof Error ? error.message : String(error);
  }
  if (sources.goVersion() === undefined) {
    throw new TruecountError(
      'component_unavailable',
      `there is no temporal, no download (${why}), and no Go to build it`,
      { hint: 'install the Temporal CLI or Go 1.25, or set TRUECOUNT_TEMPORAL_ADDRESS' },
    );
  }
  log(`temporal: no download (${why})`);
  return sources.build(log);
}

async function download(log: Log): Promise<Binary> {
  if (!hasTemporalSdk()) throw new Error('@temporalio/testing is not installed');
  await cached(DOWNLOADED, log, async (part) => {
    log(`temporal: Temporal's SDK downloads version ${TEMPORAL_VERSION} (once)`);
    await downloadTemporal(part, TEMPORAL_VERSION);
  });
  return downloaded();
}

async function build(log: Log): Promise<Binary> {
  await cached(BUILT, log, async (part) => {
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
  return built();
}
