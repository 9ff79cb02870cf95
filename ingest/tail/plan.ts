import { groupBy } from '../../core/group-by.js';
import { headBegins, headHash } from './known-file.js';
import type { KnownFile, Sample, SeenFile } from './known-file.js';
import type { Held } from './left-alone.js';

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
  /** Read from its beginning. `truncated` and `replaced`: its inode held `was` before. */
  | {
      readonly kind: 'begin';
      readonly file: SeenFile;
      readonly why: 'new' | 'truncated' | 'replaced';
      readonly was: KnownFile | undefined;
    }
  /** Seems to be a copy that is still being written. */
  | { readonly kind: 'wait'; readonly file: SeenFile }
  /** Begins as files that were left alone: what stands behind that is to be read, if it is one. */
  | { readonly kind: 'grown'; readonly file: SeenFile; readonly held: readonly Held[] }
  /** Was rotated away before the tail was first asked for it. `first`: it is to be remembered. */
  | { readonly kind: 'ignore'; readonly file: SeenFile; readonly first: boolean };

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
  /** As `LeftAlone`. */
  readonly leftAlone: {
    readonly has: (file: SeenFile) => boolean;
    readonly grown: (file: SeenFile) => readonly Held[];
    readonly isOld: (file: SeenFile) => boolean;
  };
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
  const others: Other[] = [];
  const byFileId = groupBy(inputs.known, ({ fileId }) => fileId);
  for (const file of inputs.seen) {
    const before = byFileId.get(file.fileId) ?? [];
    const known = longestFirst(before).find((one) => holds(file, one, inputs.refuted));
    if (known !== undefined) {
      held.add(known.id);
      decisions.push({ kind: 'go_on', file, known });
    } else {
      const read = Math.max(0, ...before.map(({ offset }) => offset));
      const why =
        before.length === 0 ? 'new' : !file.gz && file.size < read ? 'truncated' : 'replaced';
      others.push({ file, why, was: latestOf(before) });
    }
  }
  const vanished = inputs.known.filter(({ id }) => !held.has(id));
  if (others.length === 0 && vanished.length === 0) return { decisions, vanished, forget: [] };
  const byHead = headsOf(inputs.known);
  for (const other of others) decisions.push(decideOther(other, inputs, byHead));
  const forget = vanished.filter((one) => forgettable(one, inputs, byHead));
  return { decisions, vanished, forget };
}

type Other = Omit<Extract<Decision, { kind: 'begin' }>, 'kind'>;

/** The content that was found last. */
function latestOf(known: readonly KnownFile[]): KnownFile | undefined {
  return known.toSorted((a, b) => b.id - a.id)[0];
}

/** Whether the file can hold what was read of the known one, as far as its first bytes tell. */
function holds(file: SeenFile, known: KnownFile, refuted: ReadonlySet<string>): boolean {
  if (refuted.has(pairOf(known, file)) || !headBegins(file.head, known.head)) return false;
  return file.gz || file.size >= known.offset;
}

function decideOther({ file, why, was }: Other, inputs: PlanInputs, byHead: ByHead): Decision {
  const { leftAlone } = inputs;
  if (why === 'new' && leftAlone.has(file)) return { kind: 'ignore', file, first: false };
  const alike = beginningLike(file, byHead);
  const candidates = longestFirst(alike).filter((one) => holds(file, one, inputs.refuted));
  if (candidates.length > 0) return { kind: 'compare', file, candidates };
  const partial = alike.some((one) => !file.gz && file.size < one.offset);
  if (partial && inputs.nowMs - file.firstSeenMs < inputs.graceMs) return { kind: 'wait', file };
  const held = why === 'new' ? leftAlone.grown(file) : [];
  if (held.length > 0) return { kind: 'grown', file, held };
  if (why === 'new' && leftAlone.isOld(file)) return { kind: 'ignore', file, first: true };
  return { kind: 'begin', file, why, was };
}

/** Known files by the length of the sample of their first bytes, and its hash. */
type ByHead = ReadonlyMap<number, ReadonlyMap<string, readonly KnownFile[]>>;

function headsOf(known: readonly KnownFile[]): ByHead {
  const byLength = groupBy(known, ({ head }) => head.bytes);
  return new Map(
    [...byLength].map(([bytes, all]) => [bytes, groupBy(all, ({ head }) => head.sha256)]),
  );
}

/** Known ones that begin as this file. Of what nothing was read there is no copy. */
function beginningLike({ head, fileId }: SeenFile, byHead: ByHead): KnownFile[] {
  const alike: KnownFile[] = [];
  for (const [bytes, byHash] of byHead) {
    if (bytes > head.length) continue;
    const all = byHash.get(headHash(head, bytes)) ?? [];
    alike.push(...all.filter((one) => one.offset > 0 && one.fileId !== fileId));
  }
  return alike;
}

function longestFirst(known: readonly KnownFile[]): KnownFile[] {
  return known.toSorted((a, b) => b.offset - a.offset || b.id - a.id);
}

/** Too old, nothing read of it, or another one stands for it that was read at least as far. */
function forgettable(known: KnownFile, { nowMs, forgetMs }: PlanInputs, byHead: ByHead): boolean {
  if (known.offset === 0 || nowMs - known.lastSeenMs >= forgetMs) return true;
  const { bytes, sha256 }: Sample = known.head;
  const alike = byHead.get(bytes)?.get(sha256) ?? [];
  return alike.some((other) => other.id > known.id && other.offset >= known.offset);
}
