import { SAMPLE_BYTES_MAX, START, sampleOf } from '../../../ingest/tail/known-file.js';
import type { KnownFile, SeenFile } from '../../../ingest/tail/known-file.js';
import { planFiles } from '../../../ingest/tail/plan.js';
import type { PlanInputs } from '../../../ingest/tail/plan.js';

/** A file that holds `content` and was read to its end. */
export function known(id: number, content: string, more: Partial<KnownFile> = {}): KnownFile {
  const bytes = Buffer.from(content);
  return {
    ...START,
    offset: bytes.length,
    head: sampleOf(bytes.subarray(0, SAMPLE_BYTES_MAX)),
    tail: sampleOf(bytes.subarray(Math.max(0, bytes.length - SAMPLE_BYTES_MAX))),
    id,
    path: '/l/a.log',
    firstPath: '/l/a.log',
    fileId: `1:${String(id)}`,
    archiveBytes: null,
    lastSeenMs: 0,
    ...more,
  };
}

/** A file as a scan finds it. */
export function seen(fileId: string, content: string, more: Partial<SeenFile> = {}): SeenFile {
  const bytes = Buffer.from(content);
  return {
    path: '/l/a.log',
    fileId,
    size: bytes.length,
    mtimeMs: 0,
    gz: false,
    head: bytes.subarray(0, SAMPLE_BYTES_MAX),
    named: 'asked',
    quietSinceMs: 0,
    firstSeenMs: 0,
    appearedMs: 0,
    ...more,
  };
}

/** `planFiles` with defaults. */
export function plan(inputs: Partial<PlanInputs>): ReturnType<typeof planFiles> {
  return planFiles({
    known: [],
    seen: [],
    refuted: new Set(),
    leftAlone: { has: () => false, grown: () => [], isOld: () => false },
    nowMs: 1_000,
    graceMs: 100,
    forgetMs: 10_000,
    ...inputs,
  });
}
