import type { Ending } from './copy-of.js';
import { openSeen } from './followed.js';
import { SAMPLE_BYTES_MAX, headBegins, headHash, sampleOf } from './known-file.js';
import type { Sample, SeenFile } from './known-file.js';
import type { TailState } from './state-file.js';

/** A file that was rotated away before the tail was first asked for its name: it is not read. */
export interface OldFile {
  /** As gzip and cp -p hand it on to a copy. */
  readonly mtimeMs: number;
  readonly head: Sample;
  /** What it held, so that what is appended later is read; not of a gz, which does not grow. */
  readonly held?: Held;
}

export interface Held extends Ending {
  readonly fileId: string;
}

/**
 * The files that are not read because they are older than the tail; what is appended to them later
 * is. They are listed at the first look after somebody asked for a name, and with that look the list
 * is closed: whatever turns up later is read, however old it looks, since its clicks may have been
 * written while the tail was down or Kafka away.
 */
export class LeftAlone {
  private readonly bySecond = new Map<number, OldFile[]>();
  /** Names that this is the first look for. */
  private fresh: readonly string[];
  private readonly asked: readonly string[];
  private readonly beforeMs: number;

  /** `asked` are the absolute paths of files that are named. */
  constructor(state: TailState, asked: readonly string[], nowMs: number) {
    const before = new Set(state.asked);
    this.fresh = asked.filter((path) => !before.has(path));
    this.asked = [...before, ...this.fresh];
    this.beforeMs = state.asked === undefined ? state.createdMs : nowMs;
    for (const old of state.leftAlone ?? []) this.put(old);
  }

  /** Known again under any name, also as gz: by its time of change and its first bytes. */
  has({ named, mtimeMs, head, gz, size }: SeenFile): boolean {
    if (named !== 'rotated') return false;
    const olds = this.bySecond.get(secondOf(mtimeMs)) ?? [];
    // A sample that is not full is all that the file held.
    return olds.some(
      (old) =>
        headBegins(head, old.head) &&
        (isFull(old.head) || old.head.bytes === head.length) &&
        (gz || old.held === undefined || old.held.offset === size),
    );
  }

  /**
   * What a file may hold that nobody knows and that is none of them as it was, longest first: it was
   * written to, or is a copy that is being written. Of a short content it must be the file itself.
   */
  grown({ named, fileId, head, gz, size }: SeenFile): Held[] {
    if (named !== 'rotated') return [];
    const begin = [...this.bySecond.values()].flat().filter((old) => headBegins(head, old.head));
    return begin
      .flatMap(({ held, head: begins }) => {
        if (held === undefined) return [];
        const isSame = held.fileId === fileId;
        // Shorter than it was: it was truncated, and is another content.
        if (isSame && !gz && size < held.offset) return [];
        return isSame || isFull(begins) ? [held] : [];
      })
      .toSorted((a, b) => b.offset - a.offset);
  }

  /** Whether a file that nobody knows is to be listed. */
  isOld({ named, mtimeMs, path, head }: SeenFile): boolean {
    if (named !== 'rotated' || mtimeMs >= this.beforeMs || head.length === 0) return false;
    return this.fresh.some((name) => path.startsWith(`${name}.`) || path.startsWith(`${name}-`));
  }

  async add(file: SeenFile): Promise<void> {
    const { mtimeMs, head } = file;
    const sample = { bytes: head.length, sha256: headHash(head, head.length) };
    const held = await heldBy(file).catch(() => undefined);
    this.put({ mtimeMs, head: sample, ...(held === undefined ? {} : { held }) });
  }

  /** The first look has ended. */
  close(): void {
    this.fresh = [];
  }

  state(): Pick<TailState, 'asked' | 'leftAlone'> {
    return { asked: this.asked, leftAlone: [...this.bySecond.values()].flat() };
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
