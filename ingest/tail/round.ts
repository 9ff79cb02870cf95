import type { ReaderState, RecordReader } from '../formats/record-reader.js';
import type { SourceRecord } from '../formats/source-item.js';
import { closeContent, contentOf } from './followed.js';
import type { Followed } from './followed.js';
import type { FollowedFiles } from './files.js';
import type { Position } from './known-file.js';
import { isClosed, latestByFamily } from './dated.js';
import type { Latest } from './dated.js';
import { readChunk, takePortion } from './portion.js';
import type { Portion } from './portion.js';
import type { Reject } from './rejects.js';

/** What is read ahead of Kafka's acknowledgement, in bytes of the files, or a chunk more. */
export const ROUND_BYTES = 2 * 1024 * 1024;

/** A reader of lines for a file of this name. */
export type OpenReader = (path: string, state: ReaderState | null) => RecordReader;

interface Part {
  readonly followed: Followed;
  readonly portion: Portion;
  /** Of a gz file that this brings to its end: its size. */
  readonly archiveBytes: number | null;
}

/** Lines that go to Kafka together, before any others are read. */
export interface Round {
  readonly parts: readonly Part[];
  readonly records: readonly SourceRecord[];
  readonly rejects: readonly Reject[];
}

/**
 * Reads appended lines of the files in turn; undefined if there are none. `turn` counts the rounds:
 * each begins with another file, so that none waits for ever behind a busy one.
 */
export async function readRound(
  files: FollowedFiles,
  turn: number,
  times: { readonly nowMs: number; readonly graceMs: number },
  openReader: OpenReader,
): Promise<Round | undefined> {
  const readable = files.readable();
  let latest: Latest | undefined;
  const look: Look = {
    isClosed({ seen, known }) {
      latest ??= latestByFamily(readable.map((one) => one.seen!));
      return isClosed(seen!, known, latest, times);
    },
    openReader,
    waitsLong({ unread }, offset) {
      return times.nowMs - (unread.since(offset) ?? times.nowMs) >= times.graceMs;
    },
  };
  const first = readable.length === 0 ? 0 : turn % readable.length;
  const parts: Part[] = [];
  let bytes = 0;
  for (const followed of [...readable.slice(first), ...readable.slice(0, first)]) {
    if (bytes >= ROUND_BYTES) break;
    if (isDrained(followed)) continue;
    const part = await files.troubles.guarded(followed, () => readPortion(files, followed, look));
    if (part === undefined) continue;
    bytes += part.portion.next.offset - followed.known.offset;
    parts.push(part);
  }
  if (parts.length === 0) return undefined;
  for (const { followed } of parts) followed.inFlight = true;
  const rejects = parts.flatMap(({ followed, portion }) =>
    portion.rejects.map((reject) => ({ file: followed.known.path, ...reject })),
  );
  return { parts, records: parts.flatMap(({ portion }) => portion.records), rejects };
}

/** Whether there is nothing to take in any case: of thousands of files most are so. */
function isDrained({ known, seen, exhausted }: Followed): boolean {
  const { size, mtimeMs, gz } = seen!;
  if (known.archiveBytes === size) return true;
  if (exhausted?.size !== size || exhausted.mtimeMs !== mtimeMs) return false;
  return exhausted.closed || (!gz && known.offset === size && !known.skipping);
}

/** What there is to know of a file in this round. */
interface Look {
  /** Nobody will write to it any more. */
  readonly isClosed: (followed: Followed) => boolean;
  readonly openReader: OpenReader;
  /** What stands behind the offset is there for the grace period. */
  readonly waitsLong: (followed: Followed, offset: number) => boolean;
}

async function readPortion(
  files: FollowedFiles,
  followed: Followed,
  { isClosed, openReader, waitsLong }: Look,
): Promise<Part | undefined> {
  const { known } = followed;
  const file = followed.seen!;
  const closed = isClosed(followed);
  const { size, mtimeMs } = file;
  const { exhausted } = followed;
  if (exhausted?.size === size && exhausted.mtimeMs === mtimeMs && exhausted.closed === closed) {
    return undefined;
  }
  const content = await contentOf(followed, file);
  if (content === undefined) return undefined;
  let at: Position = known;
  let chunk = await readChunk(content, at);
  const { unended } = known;
  if (unended !== undefined && chunk.kind === 'bytes' && chunk.window.length > known.tail.bytes) {
    files.troubles.say(
      file.path,
      'goes on with its last line, which had no end: reading that again',
    );
    at = { ...known, ...unended };
    chunk = await readChunk(content, at);
  }
  if (chunk.kind === 'other') {
    files.refute(followed, file);
    return undefined;
  }
  const isWhole = content.ended === 'whole' && chunk.atEnd;
  const last = closed && chunk.atEnd && (!file.gz || isWhole);
  if (at === known) followed.reader ??= openReader(file.path, known.reader);
  const reader = at === known ? followed.reader! : openReader(file.path, at.reader);
  const portion = takePortion(chunk.window, at, reader, last);
  if (!reader.isBetweenRecords()) {
    // It is ahead of what was taken: the row is read again when there is more of it.
    followed.reader = undefined;
    const place = portion?.next ?? at;
    if (waitsLong(followed, place.offset)) {
      const line = (place.reader?.line ?? 0) + 1;
      const words = `line ${String(line)}: a quoted cell is not closed yet, all behind it waits`;
      files.troubles.say(file.path, words);
    }
  } else if (portion !== undefined) followed.reader = reader;
  const end = at.offset - at.tail.bytes + chunk.window.length;
  const isRest = (last || portion?.isStopped === true) && (portion?.next.offset ?? end) < end;
  if (chunk.atEnd && !isRest) {
    followed.exhausted = { size, mtimeMs, closed };
    if (closed && content.ended === 'cut_short') {
      files.troubles.say(file.path, 'ends within a gz member');
    }
    if (file.gz) await closeContent(followed);
  }
  const isDone = isWhole && (portion?.next.offset ?? known.offset) === end;
  const archiveBytes = isDone ? file.size : null;
  if (portion !== undefined) return { followed, portion, archiveBytes };
  if (archiveBytes !== null) {
    followed.known = { ...known, archiveBytes };
    files.changed = true;
  }
  return undefined;
}
