import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { VerifyCell } from '../api/answers/explain.js';
import { recomputeCell } from '../batch/duckdb/explain.js';
import { withFiles, withScratch } from '../batch/local-files.js';
import { TruecountError } from '../core/errors.js';
import type { CellExplanation, CellVerification } from '../core/explain.js';
import { bucketOf, type LakeFile } from '../core/lake-file.js';
import { hourOf } from '../core/time.js';
import { openLake } from '../lake/open.js';
import { archiveCoverage, filesOfHour, type ArchiveCoverage } from '../store/lake/manifest.js';
import { readError, type Reader } from '../store/read/connection.js';
import { loadRuleSets } from '../store/rule-sets.js';
import type { Config } from './config.js';

export interface VerifyOptions {
  /** How long to wait for the archive to pass what has been counted live; default: not at all. */
  readonly waitMs?: number;
  readonly onWait?: (recordsBehind: number) => void;
}

const POLL_MS = 250;

/**
 * Computes an explained cell again from the lake: of a final minute from the files that its
 * generation was made from; of a live one from what is archived, once that is all that was counted.
 * @throws TruecountError those of the lake and of the engine, `dependency_unreachable`
 */
export async function verifyCell(
  config: Config,
  reader: Reader,
  cell: CellExplanation,
  clicksMax: number,
  options: VerifyOptions = {},
): Promise<CellVerification> {
  const { covered, files, ruleSets } = await sourcesOf(reader, cell, options).catch(
    (error: unknown) => {
      throw readError(error);
    },
  );
  const behind = recordsBehind(covered);
  if (behind > 0) {
    const why = `the archive is ${String(behind)} records behind what is counted: ask again later`;
    return { verified: null, why, flow: null, clicks: [], filesRead: 0 };
  }
  const adId = new TextEncoder().encode(cell.adId);
  const mine = files.filter(({ bucket, buckets }) => bucketOf(adId, buckets) === bucket);
  const scratch = join(config.home, 'tmp');
  await mkdir(scratch, { recursive: true });
  const context = { lake: openLake(config.lakeUrl), onProgress: () => undefined };
  const recomputed = await withScratch(scratch, (scratchDir) =>
    withFiles(mine, context, (local) => {
      const { cut, hourCut } = cell;
      const sources = { files: local, cut, hourCut, ruleSet: ruleSets[0]!.ruleSet };
      return recomputeCell(cell, sources, config.batch, scratchDir, clicksMax);
    }),
  );
  const verified = recomputed.flow.value === cell.value;
  const why = verified ? null : whyNot(cell, covered);
  return { ...recomputed, verified, why, filesRead: mine.length };
}

async function sourcesOf(reader: Reader, cell: CellExplanation, options: VerifyOptions) {
  const client = reader instanceof pg.Pool ? await reader.connect() : reader;
  try {
    const ruleSets = await loadRuleSets(client, [cell.ruleSet]);
    const covered = await coverage(client, cell, options);
    const files: readonly Omit<LakeFile, 'id'>[] =
      cell.generation === null
        ? await filesOfHour(client, hourOf(cell.minuteMs), cell.cut)
        : cell.files;
    return { covered, files, ruleSets };
  } finally {
    if (client !== reader) (client as pg.PoolClient).release();
  }
}

async function coverage(
  client: pg.ClientBase,
  cell: CellExplanation,
  { waitMs = 0, onWait }: VerifyOptions,
): Promise<ArchiveCoverage> {
  const deadlineMs = performance.now() + waitMs;
  for (;;) {
    const covered = await archiveCoverage(client, cell.cut);
    if (covered.reached || performance.now() >= deadlineMs) return covered;
    onWait?.(recordsBehind(covered));
    await delay(POLL_MS);
  }
}

function recordsBehind({ behind }: ArchiveCoverage): number {
  return behind.reduce((sum, { nextOffset, wanted }) => sum + wanted - nextOffset, 0);
}

function whyNot(cell: CellExplanation, { losses }: ArchiveCoverage): string {
  const reasons = [
    ...(cell.generation === null ? cell.causes.map(({ cause }) => cause) : []),
    ...losses.map(
      ({ topic, partition, fromOffset, toOffset, reason }) =>
        `${topic}/${String(partition)} from ${String(fromOffset)} to ${String(toOffset)} ` +
        `was never archived (${reason})`,
    ),
  ];
  return reasons.length === 0 ? 'no known cause' : `known causes: ${reasons.join('; ')}`;
}

/** At most one verification at a time: each takes memory and a core. Others are told to come back. */
export function oneAtATime(verify: VerifyCell): VerifyCell {
  let busy = false;
  return async (reader, cell, clicksMax) => {
    if (busy) {
      throw new TruecountError('not_ready', 'another cell is being verified', {
        hint: 'try again in a moment, or run `truecount explain --verify` beside the service',
      });
    }
    busy = true;
    try {
      return await verify(reader, cell, clicksMax);
    } finally {
      busy = false;
    }
  };
}
