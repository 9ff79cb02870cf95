import type { Logger } from 'pino';
import type { Content } from './content.js';
import { Copies } from './copy-of.js';
import { closeContent, contentOf, follow, holdOpen, lagOf, unreadBytes } from './followed.js';
import type { Followed, Lag } from './followed.js';
import { START } from './known-file.js';
import type { KnownFile, Position, SeenFile } from './known-file.js';
import { LeftAlone } from './left-alone.js';
import type { Held } from './left-alone.js';
import { pairOf, planFiles } from './plan.js';
import type { Decision } from './plan.js';
import type { Scan, SealedFile } from './scan.js';
import type { TailState } from './state-file.js';
import { Troubles, troublesOf } from './troubles.js';
import type { Trouble } from './troubles.js';

/** A file that is there is noted so often as seen. */
const SEEN_EVERY_MS = 60_000;

export interface FilesOptions {
  readonly state: TailState;
  /** Absolute paths of the files that are asked for by their names; see `LeftAlone`. */
  readonly asked: readonly string[];
  /** Looks at the files; as `Scanner.scan`. */
  readonly scan: (
    nowMs: number,
    open: readonly { readonly content: Content; readonly path: string }[],
    usualPath: (fileId: string) => string | undefined,
  ) => Promise<Scan>;
  /** How long a file must be quiet before a last line without an end is one, ms. */
  readonly graceMs: number;
  /** How long a vanished file is remembered, ms. */
  readonly forgetMs: number;
  /** Files held open at once. */
  readonly openMax: number;
  readonly log: Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;
  /** ms since 1970. */
  readonly now: () => number;
}

/** The files that are followed: what each look at them shows, as `planFiles` decides it. */
export class FollowedFiles {
  /** The state is no longer as it was saved, positions aside. */
  changed = false;
  private readonly followed = new Map<number, Followed>();
  private readonly refuted = new Set<string>();
  private nextId: number;
  private hasLooked = false;
  private readonly leftAlone: LeftAlone;
  readonly troubles: Troubles;
  private readonly copies: Copies;
  /** Files of which the last look could not tell yet what they are. */
  private undecided: SeenFile[] = [];
  /** What the last look could not look at. */
  private unreadable: readonly Trouble[] = [];

  constructor(private readonly options: FilesOptions) {
    this.nextId = options.state.nextId;
    this.troubles = new Troubles(options.log);
    this.copies = new Copies(this.troubles);
    this.leftAlone = new LeftAlone(options.state, options.asked, options.now());
    for (const known of options.state.files) this.followed.set(known.id, follow(known, undefined));
  }

  /** Looks at the files and takes note of what each is. */
  async observe(): Promise<void> {
    const { options } = this;
    const nowMs = options.now();
    const all = [...this.followed.values()];
    const open = all
      .filter((one) => one.content !== undefined)
      .map((one) => ({ content: one.content!, path: one.known.path }));
    const usual = new Map(all.map(({ known }) => [known.fileId, known.path]));
    const scan = await options.scan(nowMs, open, (fileId) => usual.get(fileId));
    this.noteOthers(scan);
    const plan = planFiles({
      known: all.map(({ known }) => known),
      seen: scan.files,
      refuted: this.refuted,
      leftAlone: this.leftAlone,
      nowMs,
      graceMs: options.graceMs,
      forgetMs: options.forgetMs,
    });
    const forget = new Set(plan.forget.map(({ id }) => id));
    for (const known of plan.vanished) await this.vanish(known, forget.has(known.id));
    const undecided: SeenFile[] = [];
    for (const decision of plan.decisions) {
      if (!(await this.apply(decision, nowMs))) undecided.push(decision.file);
    }
    this.undecided = undecided;
    this.copies.keep(undecided);
    // What was left alone is to be saved before anything is read.
    if (this.leftAlone.close(scan.looked) || !this.hasLooked) this.changed = true;
    this.hasLooked = true;
    await holdOpen(this.followed.values(), options.openMax);
  }

  /** Those that can be read. */
  readable(): Followed[] {
    return [...this.followed.values()].filter(
      (one) => one.seen !== undefined && one.problem === undefined,
    );
  }

  /** The file that was taken for a known one does not hold what was read of that. */
  refute(followed: Followed, file: SeenFile): void {
    this.refuted.add(pairOf(followed.known, file));
    followed.reader = undefined;
  }

  state(): TailState {
    const files = [...this.followed.values()].map(({ known }) => known);
    return { ...this.options.state, ...this.leftAlone.state(), nextId: this.nextId, files };
  }

  async close(): Promise<void> {
    for (const one of this.followed.values()) await closeContent(one);
  }

  /** Why some file is not read. */
  problem(): string | undefined {
    if (!this.hasLooked) return 'the files were not looked at yet';
    const [first] = this.notRead();
    return first && `${first.path}: ${first.why}`;
  }

  private notRead(): Trouble[] {
    const followed = troublesOf(this.followed.values());
    return [...followed, ...this.copies.failures(), ...this.unreadable];
  }

  /** Files with their unread bytes, for whoever asks. */
  lag(): Lag[] {
    const known = [...this.followed.values()].filter(({ seen }) => seen !== undefined);
    return [
      ...known.map(lagOf),
      ...this.undecided.map(({ path, size, quietSinceMs }) => {
        return { path, bytes: size, sinceMs: quietSinceMs };
      }),
    ];
  }

  counts(): { openFiles: number; setAside: number } {
    const all = [...this.followed.values()];
    return {
      openFiles: all.filter(({ content }) => content !== undefined).length,
      setAside: this.notRead().length,
    };
  }

  /** Takes note of what is no file that can be read. */
  private noteOthers({ foreign, unreadable, sealed }: Scan): void {
    for (const [path, kind] of foreign) {
      this.troubles.say(path, `is ${kind}, which is not followed`);
    }
    const wanted = sealed.filter((file) => !this.leaveSealed(file));
    this.unreadable = [...[...unreadable].map(([path, why]) => ({ path, why })), ...wanted];
    for (const { path, why } of this.unreadable) {
      this.troubles.say(path, `cannot be read: ${why}`, 'error');
    }
  }

  /** Whether a file that may not be read is not to be: it was rotated away before this began. */
  private leaveSealed(file: SealedFile): boolean {
    if (this.leftAlone.hasSealed(file)) return true;
    const isKnown = [...this.followed.values()].some(({ known }) => known.fileId === file.fileId);
    if (isKnown || !this.leftAlone.isOld(file)) return false;
    this.leftAlone.addSealed(file);
    this.noteLeftAlone(file.path);
    return true;
  }

  private noteLeftAlone(path: string): void {
    this.changed = true;
    this.options.log.warn({ file: path }, 'was rotated away before this began: not read');
  }

  private async vanish(known: KnownFile, forget: boolean): Promise<void> {
    const followed = this.followed.get(known.id)!;
    if (followed.seen !== undefined) {
      this.options.log.info({ file: known.path, offset: known.offset }, 'the file is gone');
      followed.known = { ...followed.known, lastSeenMs: this.options.now() };
      this.changed = true;
    }
    followed.seen = undefined;
    followed.problem = undefined;
    followed.hindrance = undefined;
    await closeContent(followed);
    if (!forget || followed.inFlight) return;
    this.followed.delete(known.id);
    for (const pair of this.refuted) {
      if (pair.startsWith(`${String(known.id)} `)) this.refuted.delete(pair);
    }
    this.changed = true;
  }

  /** Whether it is clear what the file is. */
  private async apply(decision: Decision, nowMs: number): Promise<boolean> {
    const { file } = decision;
    switch (decision.kind) {
      case 'go_on':
        await this.goOn(this.followed.get(decision.known.id)!, file, nowMs);
        return true;
      case 'begin':
        await this.begin(file, decision.why, nowMs, decision.was);
        return true;
      case 'compare':
        return this.compare(file, decision.candidates, nowMs);
      case 'grown':
        return this.beginBehind(file, decision.held, nowMs);
      case 'ignore':
        if (!decision.first) return true;
        await this.leftAlone.add(file);
        this.noteLeftAlone(file.path);
        return true;
      case 'wait':
        return false;
    }
  }

  private async goOn(followed: Followed, file: SeenFile, nowMs: number): Promise<void> {
    const { known, seen } = followed;
    if (known.path !== file.path) {
      this.options.log.info({ file: file.path, was: known.path }, 'the file has another name');
      this.changed = true;
    }
    if (known.path !== file.path || nowMs - known.lastSeenMs >= SEEN_EVERY_MS) {
      followed.known = { ...known, path: file.path, lastSeenMs: nowMs };
    }
    followed.seen = file;
    followed.unread.observe(file.gz ? 0 : file.size, known.offset, nowMs);
    // A gz file that has grown is decompressed anew.
    if (file.gz && seen !== undefined && seen.size !== file.size) await closeContent(followed);
    const drained = unreadBytes(followed) === 0;
    if (drained) followed.hindrance = undefined;
    const isQuiet = nowMs - file.quietSinceMs >= this.options.graceMs;
    if (file.named === 'gone' && drained && isQuiet) await closeContent(followed);
    else if (!drained && !file.gz)
      await this.troubles.guarded(followed, () => contentOf(followed, file));
  }

  private async begin(
    file: SeenFile,
    why: keyof typeof BEGIN_WORDS,
    nowMs: number,
    was?: KnownFile,
  ): Promise<void> {
    const { path, fileId } = file;
    this.options.log.info({ file: path }, `${BEGIN_WORDS[why]}: reading it from byte 0`);
    const headerBefore = was?.reader?.header ?? was?.reader?.headerBefore;
    const reader = headerBefore && { line: 0, row: 0, chain: '', headerBefore };
    const position = { ...START, reader: reader ?? null };
    await this.add({ ...position, path, firstPath: path, fileId }, file, nowMs);
  }

  private async add(
    begin: Position & Pick<KnownFile, 'path' | 'firstPath' | 'fileId'>,
    file: SeenFile,
    nowMs: number,
  ): Promise<void> {
    const known = { ...begin, id: this.nextId++, archiveBytes: null, lastSeenMs: nowMs };
    const followed = follow(known, undefined);
    this.followed.set(known.id, followed);
    this.changed = true;
    await this.goOn(followed, file, nowMs);
  }

  /** Finds the longest content that the file is a copy of; false if there is none, or not yet. */
  private async compare(
    file: SeenFile,
    candidates: readonly KnownFile[],
    nowMs: number,
  ): Promise<boolean> {
    const copied = await this.copies.in(file, candidates, this.mayGrow(file, nowMs));
    if (copied === undefined) return false;
    for (const known of candidates) {
      if (!copied.includes(known)) this.refuted.add(pairOf(known, file));
    }
    const [original] = copied;
    if (original === undefined) return false;
    const { path: was, offset } = original;
    this.options.log.info({ file: file.path, was, offset }, 'a copy of a known file: reading on');
    await this.add({ ...original, path: file.path, fileId: file.fileId }, file, nowMs);
    return true;
  }

  /** Begins with a file that was left alone, or a copy of one; false if that is not clear yet. */
  private async beginBehind(
    file: SeenFile,
    held: readonly Held[],
    nowMs: number,
  ): Promise<boolean> {
    const copied = await this.copies.in(file, held, this.mayGrow(file, nowMs));
    if (copied === undefined) return false;
    const { path } = file;
    const [original] = copied;
    if (original === undefined) {
      await this.begin(file, 'new', nowMs);
      return true;
    }
    const from = original.offset;
    this.options.log.info({ file: path, from }, 'was left alone, and has more now: reading that');
    await this.add({ ...START, from, path, firstPath: path, fileId: file.fileId }, file, nowMs);
    return true;
  }

  /** A copy may still be being written. */
  private mayGrow({ quietSinceMs }: SeenFile, nowMs: number): boolean {
    return nowMs - quietSinceMs < this.options.graceMs;
  }
}

const BEGIN_WORDS = {
  new: 'a new file',
  truncated: 'the file was truncated',
  replaced: 'another file in the place of a known one',
} as const;
