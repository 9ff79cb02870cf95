import { SAMPLE_BYTES_MAX, headBegins, headHash } from './known-file.js';
import type { Sample, SeenFile } from './known-file.js';
import type { TailState } from './state-file.js';

/** A file that was rotated away before the tail was first asked for its name: it is not read. */
export interface OldFile {
  /** As gzip and cp -p hand it on to a copy. */
  readonly mtimeMs: number;
  readonly head: Sample;
}

/**
 * The files that are not read because they are older than the tail. They are listed at the first
 * look after somebody asked for a name, and with that look the list is closed: whatever turns up
 * later is read, however old it looks, since its clicks may have been written while the tail was
 * down or Kafka away.
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
  has({ named, mtimeMs, head }: SeenFile): boolean {
    if (named !== 'rotated') return false;
    const olds = this.bySecond.get(secondOf(mtimeMs)) ?? [];
    // A sample that is not full is all that the file held.
    return olds.some(
      (old) =>
        headBegins(head, old.head) &&
        (old.head.bytes === SAMPLE_BYTES_MAX || old.head.bytes === head.length),
    );
  }

  /** Whether a file that nobody knows is to be listed. */
  isOld({ named, mtimeMs, path, head }: SeenFile): boolean {
    if (named !== 'rotated' || mtimeMs >= this.beforeMs || head.length === 0) return false;
    return this.fresh.some((name) => path.startsWith(`${name}.`) || path.startsWith(`${name}-`));
  }

  add({ mtimeMs, head }: SeenFile): void {
    const sample = { bytes: head.length, sha256: headHash(head, head.length) };
    this.put({ mtimeMs, head: sample });
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

function secondOf(ms: number): number {
  return Math.floor(ms / 1000);
}
