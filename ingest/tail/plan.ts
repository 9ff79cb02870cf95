import { beginsWith, sampleOf } from './known-file.js';
import type { KnownFile, Sample, SeenFile } from './known-file.js';

/** What a file turned out to be, and what is to be done about it. */
export type Decision =
  /** The file that is known, under this or another name: read on where it was left. */
  | { readonly kind: 'go_on'; readonly file: SeenFile; readonly known: KnownFile }
  /**
   * Begins as these do, longest first: a copy of one of them (gz, copytruncate, a move to another
   * disk) if it also has the bytes before that one's offset. Then it is read from there, else from
   * its beginning.
   */
  | {
      readonly kind: 'compare';
      readonly file: SeenFile;
      readonly candidates: readonly KnownFile[];
    }
  /** Read from its beginning. `truncated` and `replaced`: its inode held another content before. */
  | {
      readonly kind: 'begin';
      readonly file: SeenFile;
      readonly why: 'new' | 'truncated' | 'replaced';
    }
  /** Seems to be a copy that is still being written. */
  | { readonly kind: 'wait'; readonly file: SeenFile }
  /** Was rotated away before the tail was first started. */
  | { readonly kind: 'ignore'; readonly file: SeenFile };

export interface Plan {
  readonly decisions: readonly Decision[];
  /** Known ones that no file holds any more. */
  readonly vanished: readonly KnownFile[];
  /** Vanished ones that are not worth remembering. */
  readonly forget: readonly KnownFile[];
}

export interface PlanInputs {
  readonly known: readonly KnownFile[];
  /** Every file once, however many names it has. */
  readonly seen: readonly SeenFile[];
  /** Pairs (`pairOf`) that begin alike and are not the same, as a look at the files has shown. */
  readonly refuted: ReadonlySet<string>;
  /** When this state began, ms since 1970. */
  readonly createdMs: number;
  readonly nowMs: number;
  /** How long a copy may take to be written. */
  readonly graceMs: number;
  /** How long a vanished file is remembered. */
  readonly forgetMs: number;
}

export function pairOf(known: KnownFile, file: Pick<SeenFile, 'fileId'>): string {
  return `${String(known.id)} ${file.fileId}`;
}

/**
 * Decides what each file is. The rule behind it: no byte is passed over unless it equals one that
 * was read and acknowledged. What remains in doubt is read (again): a click has the same id then,
 * and counts once.
 *
 * A file with the inode of a known one is that one if it begins with the bytes that were read of
 * it; if it is shorter or begins otherwise, it was truncated (copytruncate), or its inode has been
 * given to another file. Any other file may be a copy of what is known; see `Decision`.
 */
export function planFiles(inputs: PlanInputs): Plan {
  const held = new Set<number>();
  const decisions: Decision[] = [];
  const others: { file: SeenFile; why: 'new' | 'truncated' | 'replaced' }[] = [];
  for (const file of inputs.seen) {
    const before = inputs.known.filter(({ fileId }) => fileId === file.fileId);
    const known = longestFirst(before).find((one) => holds(file, one, inputs.refuted));
    if (known !== undefined) {
      held.add(known.id);
      decisions.push({ kind: 'go_on', file, known });
    } else {
      const read = Math.max(0, ...before.map(({ offset }) => offset));
      const why =
        before.length === 0 ? 'new' : !file.gz && file.size < read ? 'truncated' : 'replaced';
      others.push({ file, why });
    }
  }
  for (const { file, why } of others) decisions.push(decideOther(file, why, inputs));
  const vanished = inputs.known.filter(({ id }) => !held.has(id));
  return { decisions, vanished, forget: vanished.filter((one) => forgettable(one, inputs)) };
}

/** Whether the file can hold what was read of the known one, as far as its first bytes tell. */
function holds(file: SeenFile, known: KnownFile, refuted: ReadonlySet<string>): boolean {
  if (refuted.has(pairOf(known, file)) || !beginsWith(file.head, known.head)) return false;
  return file.gz || file.size >= known.offset;
}

function decideOther(
  file: SeenFile,
  why: 'new' | 'truncated' | 'replaced',
  inputs: PlanInputs,
): Decision {
  // Of what nothing was read there is no copy: it is read from the beginning either way.
  const begins = sampler(file.head);
  const alike = inputs.known.filter(
    (one) => one.offset > 0 && one.fileId !== file.fileId && begins(one.head),
  );
  const candidates = longestFirst(alike).filter((one) => holds(file, one, inputs.refuted));
  if (candidates.length > 0) return { kind: 'compare', file, candidates };
  const partial = alike.some((one) => !file.gz && file.size < one.offset);
  if (partial && inputs.nowMs - file.firstSeenMs < inputs.graceMs) return { kind: 'wait', file };
  if (why === 'new' && file.named === 'rotated' && file.mtimeMs < inputs.createdMs) {
    return { kind: 'ignore', file };
  }
  return { kind: 'begin', file, why };
}

/** `beginsWith` of the same bytes for many samples: each length is hashed once. */
function sampler(bytes: Buffer): (sample: Sample) => boolean {
  const hashes = new Map<number, string>();
  return (sample) => {
    if (bytes.length < sample.bytes) return false;
    const hash = hashes.get(sample.bytes) ?? sampleOf(bytes.subarray(0, sample.bytes)).sha256;
    hashes.set(sample.bytes, hash);
    return hash === sample.sha256;
  };
}

function longestFirst(known: readonly KnownFile[]): KnownFile[] {
  return known.toSorted((a, b) => b.offset - a.offset || b.id - a.id);
}

/** Too old, nothing read of it, or another one stands for it that was read at least as far. */
function forgettable(known: KnownFile, { known: all, nowMs, forgetMs }: PlanInputs): boolean {
  if (known.offset === 0 || nowMs - known.lastSeenMs >= forgetMs) return true;
  return all.some(
    (other) =>
      other.id > known.id &&
      other.offset >= known.offset &&
      other.head.bytes === known.head.bytes &&
      other.head.sha256 === known.head.sha256,
  );
}

/** A date in a file's name, as in access-2026-11-21.log or app.20261121-15.log. */
const DATE = /\d{4,}(?:[-_.T]?\d{2})*/;

/** The name without its date; undefined if it has none. */
function familyOf(path: string): string | undefined {
  const family = path.replace(DATE, '');
  return family === path ? undefined : family;
}

/** Of the files that are named alike but for a date, the path with the latest. */
export function latestByFamily(files: readonly SeenFile[]): Map<string, string> {
  const latest = new Map<string, string>();
  for (const { path } of files) {
    const family = familyOf(path);
    if (family !== undefined && path > (latest.get(family) ?? '')) latest.set(family, path);
  }
  return latest;
}

/**
 * Whether nobody will write to the file any more, so that a last line without an end is one: it
 * has been quiet for the grace period, and it was renamed or deleted, is a gz file, or has a date in
 * its name and there is another with a later one (`latest` is of `latestByFamily`).
 */
export function isClosed(
  file: SeenFile,
  known: Pick<KnownFile, 'firstPath'>,
  latest: ReadonlyMap<string, string>,
  times: { readonly nowMs: number; readonly graceMs: number },
): boolean {
  if (times.nowMs - file.quietSinceMs < times.graceMs) return false;
  if (file.gz || file.named === 'gone' || file.path !== known.firstPath) return true;
  const family = familyOf(file.path);
  return family !== undefined && (latest.get(family) ?? '') > file.path;
}
