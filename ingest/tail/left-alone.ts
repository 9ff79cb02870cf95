import { dirname } from 'node:path';
import type { Ending } from './copy-of.js';
import { openSeen } from './followed.js';
import { NOTHING, SAMPLE_BYTES_MAX, headBegins, headHash, sampleOf } from './known-file.js';
import type { Sample, SeenFile } from './known-file.js';
import type { SealedFile } from './scan.js';
import type { TailState } from './state-file.js';

/** A file that was rotated away before the tail was first asked for its name: it is not read. */
export interface OldFile {
  /** As gzip and cp -p hand it on to a copy. */
  readonly mtimeMs: number;
  /** Undefined if it could not be read. */
  readonly head?: Sample;
  /** What it held, so that what is appended later is read; not of a gz, which does not grow. */
  readonly held?: Held;
}

export interface Held extends Ending {
  readonly fileId: string;
}

/**
 * The files that are not read because they are older than the tail; what is appended to them later
 * is. They are listed at the first look after somebody asked for a name, also those that may not be
 * read, and with that look the list is closed: whatever turns up later is read, however old it looks,
 * since its clicks may have been written while the tail was down or Kafka away. A look at a folder that
 * is not there, or may not be looked at, is none.
 */
export class LeftAlone {
  private readonly bySecond = new Map<number, OldFile[]>();
  /** Names that were looked for. */
  private readonly asked: Set<string>;
  /** Names that were not yet, and when they were asked for first, ms since 1970. */
  private readonly awaited: Map<string, number>;

  /** `asked` are the absolute paths of files that are named. */
  constructor(state: TailState, asked: readonly string[], nowMs: number) {
    this.asked = new Set(state.asked);
    this.awaited = new Map(state.awaited?.map(({ path, sinceMs }) => [path, sinceMs]));
    const sinceMs = state.asked === undefined ? state.createdMs : nowMs;
    for (const path of asked) {
      if (!this.asked.has(path) && !this.awaited.has(path)) this.awaited.set(path, sinceMs);
    }
    for (const old of state.leftAlone ?? []) this.put(old);
  }

  /** Known again under any name, also as gz: by its time of change and its first bytes. */
  has(file: SeenFile): boolean {
    const { head, gz, size } = file;
    // A sample that is not full is all that the file held.
    return this.ofTime(file).some(
      (old) =>
        (old.head === undefined ||
          (headBegins(head, old.head) && (isFull(old.head) || old.head.bytes === head.length))) &&
        (gz || old.held === undefined || old.held.offset === size),
    );
  }

  /** Likewise of a file whose bytes nobody may see: by the inode. */
  hasSealed(file: SealedFile): boolean {
    const { fileId, size } = file;
    return this.ofTime(file).some(
      ({ held }) => held === undefined || (held.fileId === fileId && held.offset === size),
    );
  }

  /**
   * What a file may hold that nobody knows and that is none of them as it was, longest first: it was
   * written to, or is a copy that is being written. Of a short content it must be the file itself.
   */
  grown({ named, fileId, head, gz, size }: SeenFile): Held[] {
    if (named !== 'rotated') return [];
    return [...this.bySecond.values()]
      .flat()
      .flatMap(({ held, head: begins = NOTHING }) => {
        if (held === undefined || !headBegins(head, begins)) return [];
        const isSame = held.fileId === fileId;
        // Shorter than it was: it was truncated, and is another content.
        if (isSame && !gz && size < held.offset) return [];
        // A gz file that could not be read then, which is all that is known of it.
        if (gz && begins.bytes === 0) return [];
        return isSame || isFull(begins) ? [held] : [];
      })
      .toSorted((a, b) => b.offset - a.offset);
  }

  /** Whether a file that nobody knows is to be listed. */
  isOld({ named, mtimeMs, path, ...file }: SeenFile | SealedFile): boolean {
    if (named !== 'rotated' || ('head' in file ? file.head.length : file.size) === 0) return false;
    for (const [name, sinceMs] of this.awaited) {
      const isOf = path.startsWith(`${name}.`) || path.startsWith(`${name}-`);
      if (isOf && mtimeMs < sinceMs) return true;
    }
    return false;
  }

  async add(file: SeenFile): Promise<void> {
    const { mtimeMs, head } = file;
    const sample = { bytes: head.length, sha256: headHash(head, head.length) };
    const held = await heldBy(file).catch(() => undefined);
    this.put({ mtimeMs, head: sample, ...(held === undefined ? {} : { held }) });
  }

  addSealed({ mtimeMs, fileId, size: offset }: SealedFile): void {
    this.put({ mtimeMs, held: { fileId, offset, tail: NOTHING } });
  }

  /** A look at these folders has ended; whether it was the first for some name. */
  close(looked: ReadonlySet<string>): boolean {
    const names = [...this.awaited.keys()].filter(
      (name) => looked.has(dirname(name)) || looked.has(name),
    );
    for (const name of names) {
      this.awaited.delete(name);
      this.asked.add(name);
    }
    return names.length > 0;
  }

  state(): Pick<TailState, 'asked' | 'awaited' | 'leftAlone'> {
    return {
      asked: [...this.asked],
      awaited: [...this.awaited].map(([path, sinceMs]) => ({ path, sinceMs })),
      leftAlone: [...this.bySecond.values()].flat(),
    };
  }

  private ofTime({ named, mtimeMs }: Pick<SeenFile, 'named' | 'mtimeMs'>): readonly OldFile[] {
    return (named === 'rotated' ? this.bySecond.get(secondOf(mtimeMs)) : undefined) ?? [];
  }

  private put(old: OldFile): void {
    const second = secondOf(old.mtimeMs);
    this.bySecond.set(second, [...(this.bySecond.get(second) ?? []), old]);
  }
}

function isFull({ bytes }: Sample): boolean {
  return bytes === SAMPLE_BYTES_MAX;
}

async function heldBy(file: SeenFile): Promise<Held | undefined> {
  const content = file.gz ? undefined : await openSeen(file);
  if (content === undefined) return undefined;
  try {
    const { fileId, size: offset } = file;
    const bytes = Math.min(offset, SAMPLE_BYTES_MAX);
    return { fileId, offset, tail: sampleOf(await content.read(offset - bytes, bytes)) };
  } finally {
    await content.close();
  }
}

function secondOf(ms: number): number {
  return Math.floor(ms / 1000);
}
