import { randomBytes } from 'node:crypto';
import { rm, stat } from 'node:fs/promises';
import { TruecountError } from '../../core/errors.js';
import { groupBy } from '../../core/group-by.js';
import type { ClickGroup, ClickWriter } from '../../lake/click-writer.js';
import { CLICKS_PREFIX } from '../../lake/store.js';
import type { LakeStore } from '../../lake/store.js';
import { sha256OfFile } from '../../lake/verify.js';
import type { ArchiveMinutes, NewLakeFile } from '../../store/archive/flush.js';
import type { ArchivePartition } from './partition.js';

/** One file to write, and what it will hold. */
export interface PlannedFile {
  /** Null: the hours that have no files of their own. */
  readonly hourMs: number | null;
  readonly bucket: number;
  readonly buckets: number;
  readonly groups: readonly ClickGroup[];
}

/**
 * Which files the groups go into: an hour with many clicks has one per bucket that has any, the
 * others share one.
 */
export function planFiles(
  groups: readonly ClickGroup[],
  { buckets, sharedRowsMax }: { readonly buckets: number; readonly sharedRowsMax: number },
): PlannedFile[] {
  const files: PlannedFile[] = [];
  const shared: ClickGroup[][] = [];
  for (const [hourMs, ofHour] of groupBy(groups, (group) => group.hourMs)) {
    if (rowsOf(ofHour) < sharedRowsMax) {
      shared.push(ofHour);
      continue;
    }
    for (const [bucket, ofFile] of groupBy(ofHour, (group) => group.bucket)) {
      files.push({ hourMs, bucket, buckets, groups: ofFile });
    }
  }
  if (shared.length > 0) {
    files.push({ hourMs: null, bucket: 0, buckets: 1, groups: shared.flat() });
  }
  return files;
}

/** What the files of a commit hold. */
export interface WrittenFiles {
  readonly files: readonly NewLakeFile[];
  readonly minutes: readonly ArchiveMinutes[];
}

export interface FileSettings {
  readonly lake: LakeStore;
  readonly buckets: number;
  readonly sharedRowsMax: number;
}

/**
 * Writes the buffered clicks of `moved` into files of the lake. Nobody reads them before they are
 * listed; what is never listed is swept.
 * @throws TruecountError `lake_unavailable`; trying again writes new files
 */
export async function writeFiles(
  writer: ClickWriter,
  moved: readonly ArchivePartition[],
  settings: FileSettings,
): Promise<WrittenFiles> {
  const bySource = new Map(moved.map((state) => [state.source, state]));
  const sources = [...bySource.keys()];
  const groups = await writer.groups(sources);
  for (const state of moved) checkRows(state, groups);
  const slotOf = (source: number): number => bySource.get(source)!.slot;
  const plans = planFiles(groups, settings);
  const ownHoursMs = new Set(plans.flatMap((plan) => plan.hourMs ?? []));
  const files: NewLakeFile[] = [];
  for (const plan of plans) {
    // The sweep goes by the fence of one partition: a commit needs those of all.
    const key = keyOf(plan, bySource.get(plan.groups[0]!.source)!);
    const { hourMs, bucket } = plan;
    const hours =
      hourMs === null ? { exceptHoursMs: [...ownHoursMs] } : { onlyHourMs: hourMs, bucket };
    const path = await writer.write({ sources, ...hours });
    try {
      const [{ size: bytes }, sha256] = await Promise.all([stat(path), sha256OfFile(path)]);
      await settings.lake.put(key, path);
      files.push({ key, bytes, sha256, ...describe(plan, slotOf) });
    } catch (error) {
      await rm(path, { force: true });
      await takeBack(settings.lake, files);
      throw error;
    }
  }
  const minutes = (await writer.minutes(sources)).map(({ hourMs, source, received }) => ({
    hourMs,
    slot: slotOf(source),
    received,
  }));
  return { files, minutes: minutes.sort((a, b) => a.hourMs - b.hourMs || a.slot - b.slot) };
}

/** Removes what nobody has listed, so that a lake that is full does not fill up with every attempt. */
async function takeBack(lake: LakeStore, files: readonly NewLakeFile[]): Promise<void> {
  for (const { key } of files) await lake.remove(key).catch(() => undefined); // the sweep takes it
}

/** `clicks/2026-11-21T10/b0of4/3-e7-….parquet`; hours that share a file: `clicks/shared/b0of1/…`. */
function keyOf({ hourMs, bucket, buckets }: PlannedFile, fence: ArchivePartition): string {
  const hour = hourMs === null ? 'shared' : new Date(hourMs).toISOString().slice(0, 13);
  const name = `${String(fence.slot)}-e${String(fence.epoch)}-${randomBytes(8).toString('hex')}`;
  return `${CLICKS_PREFIX}${hour}/b${String(bucket)}of${String(buckets)}/${name}.parquet`;
}

function describe(
  { groups, bucket, buckets }: PlannedFile,
  slotOf: (source: number) => number,
): Omit<NewLakeFile, 'key' | 'bytes' | 'sha256'> {
  const hours = groupBy(groups, (group) => group.hourMs);
  const slots = groupBy(groups, (group) => slotOf(group.source));
  return {
    bucket,
    buckets,
    minEventMs: groups.reduce((least, group) => Math.min(least, group.minEventMs), Infinity),
    maxEventMs: groups.reduce((most, group) => Math.max(most, group.maxEventMs), 0),
    hours: [...hours].map(([hourMs, of]) => ({ hourMs, rows: rowsOf(of) })),
    slots: [...slots].map(([slot, of]) => ({ slot, rows: rowsOf(of) })),
  };
}

function rowsOf(groups: readonly ClickGroup[]): number {
  return groups.reduce((sum, group) => sum + group.rows, 0);
}

/** Every click that was read is in the buffer, before anything is said of it. */
function checkRows(state: ArchivePartition, groups: readonly ClickGroup[]): void {
  const rows = rowsOf(groups.filter((group) => group.source === state.source));
  const { archived } = state.range();
  if (rows === archived) return;
  throw new TruecountError(
    'invariant_broken',
    `${state.topic}/${String(state.partition)}: ${String(archived)} clicks were read, ` +
      `${String(rows)} are to be written`,
  );
}
