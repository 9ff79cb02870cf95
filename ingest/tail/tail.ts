import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { ReaderState, RecordReader } from '../formats/record-reader.js';
import type { SourceRecord } from '../formats/source-item.js';
import { closeContent, contentOf, follow, openSeen, unreadBytes } from './followed.js';
import type { Followed } from './followed.js';
import { START, beginsWith } from './known-file.js';
import type { KnownFile, Position, SeenFile } from './known-file.js';
import { ReasonKinds } from './metrics.js';
import type { TailMetrics } from './metrics.js';
import { isClosed, pairOf, planFiles } from './plan.js';
import type { Decision } from './plan.js';
import { readChunk, takePortion } from './portion.js';
import type { Portion } from './portion.js';
import type { Reject } from './rejects.js';
import type { Scan } from './scan.js';
import type { Content } from './content.js';
import type { TailState } from './state-file.js';

/** What is read ahead of Kafka's acknowledgement, in bytes of the files: one round. */
export const ROUND_BYTES = 2 * 1024 * 1024;
/** Files held open at once; the others are opened when they have grown. */
const OPEN_MAX = 256;
const PAUSE_MIN_MS = 250;
const PAUSE_MAX_MS = 30_000;
/** Rejections that are logged in one period; all are counted and kept. */
const LOGGED_MAX = 10;
const LOGGED_PERIOD_MS = 60_000;

export interface TailOptions {
  readonly state: TailState;
  /** Looks at the files; as `Scanner.scan`. */
  readonly scan: (
    nowMs: number,
    open: readonly { readonly content: Content; readonly path: string }[],
    usualPath: (fileId: string) => string | undefined,
  ) => Promise<Scan>;
  /** A reader of lines for a file of this name. */
  readonly openReader: (path: string, state: ReaderState | null) => RecordReader;
  /** Resolves when Kafka has the records; rejects only when the signal is aborted. */
  readonly send: (records: readonly SourceRecord[], signal: AbortSignal) => Promise<void>;
  readonly keepRejects: (rejects: readonly Reject[], nowMs: number) => Promise<void>;
  /** Durable when it resolves. */
  readonly save: (state: TailState) => Promise<void>;
  /** Time between two looks at the files, ms. */
  readonly pollMs: number;
  /** How long a file must be quiet before a last line without an end is one, ms. */
  readonly graceMs: number;
  /** How long a vanished file is remembered, ms. */
  readonly forgetMs: number;
  readonly metrics: TailMetrics;
  readonly log: Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;
  /** ms since 1970. */
  readonly now: () => number;
}

interface Round {
  readonly portions: readonly {
    readonly followed: Followed;
    readonly portion: Portion;
    readonly archiveBytes: number | null;
  }[];
  readonly records: readonly SourceRecord[];
  readonly rejects: readonly Reject[];
}

/**
 * Follows files. Each turn looks at them, decides what each is (`planFiles`), and reads one round of
 * appended lines, unless one is on its way to Kafka still: nothing is read ahead of it, the files are
 * the buffer. Positions move, and are saved, when Kafka has acknowledged a round; after a crash the
 * lines since then are read again and give the same ids.
 */
export class Tail {
  private readonly followed = new Map<number, Followed>();
  private readonly refuted = new Set<string>();
  private readonly stopping = new AbortController();
  private readonly kinds = new ReasonKinds();
  private readonly said = new Map<string, string>();
  private nextId: number;
  private changed = false;
  private delivery: Promise<void> | undefined;
  private failure: Error | undefined;
  private ending = false;
  private wake = (): void => undefined;
  private turn = 0;
  private hasLooked = false;
  /** Files of which the last look could not tell yet what they are. */
  private undecided: SeenFile[] = [];
  private logged = { sinceMs: 0, count: 0 };

  constructor(private readonly options: TailOptions) {
    this.nextId = options.state.nextId;
    for (const known of options.state.files) this.followed.set(known.id, follow(known, undefined));
  }

  /** Runs until `stop`. @throws what makes going on useless; the positions are saved. */
  async run(): Promise<void> {
    try {
      while (!this.ending && this.failure === undefined) {
        await this.observe();
        const round = this.delivery === undefined ? await this.readRound() : undefined;
        if (round !== undefined) this.delivery = this.deliver(round);
        else if (this.changed && this.delivery === undefined) await this.save();
        await this.sleep();
      }
      await this.delivery;
      if (this.changed && this.failure === undefined) await this.save();
    } finally {
      for (const one of this.followed.values()) await closeContent(one);
    }
    if (this.failure !== undefined) throw this.failure;
  }

  /**
   * Ends after the round that is on its way, if Kafka takes it within `waitMs`; what it does not is
   * read again at the next start.
   */
  stop(waitMs: number): void {
    this.ending = true;
    this.wake();
    setTimeout(() => {
      this.stopping.abort();
    }, waitMs).unref();
  }

  /** Why some file is not read. */
  problem(): string | undefined {
    if (!this.hasLooked) return 'the files were not looked at yet';
    return [...this.followed.values()].find(({ problem }) => problem !== undefined)?.problem;
  }

  /** Files with their unread bytes, for whoever asks. */
  lag(): { path: string; bytes: number; sinceMs: number | undefined }[] {
    const known = [...this.followed.values()].filter(({ seen }) => seen !== undefined);
    return [
      ...known.map((one) => {
        const bytes = unreadBytes(one);
        const sinceMs = bytes > 0 ? one.unread.since(one.known.offset) : undefined;
        return { path: one.known.path, bytes, sinceMs };
      }),
      ...this.undecided.map(({ path, size, quietSinceMs }) => {
        return { path, bytes: size, sinceMs: quietSinceMs };
      }),
    ];
  }

  counts(): { openFiles: number; setAside: number } {
    const all = [...this.followed.values()];
    return {
      openFiles: all.filter(({ content }) => content !== undefined).length,
      setAside: all.filter(({ problem }) => problem !== undefined).length,
    };
  }

  /** Looks at the files and takes note of what each is. */
  private async observe(): Promise<void> {
    const { options } = this;
    const nowMs = options.now();
    const all = [...this.followed.values()];
    const open = all
      .filter((one) => one.content !== undefined)
      .map((one) => ({ content: one.content!, path: one.known.path }));
    const usual = new Map(all.map(({ known }) => [known.fileId, known.path]));
    const scan = await options.scan(nowMs, open, (fileId) => usual.get(fileId));
    for (const [path, why] of scan.unreadable) this.say(path, `cannot be followed: ${why}`);
    const plan = planFiles({
      known: all.map(({ known }) => known),
      seen: scan.files,
      refuted: this.refuted,
      createdMs: options.state.createdMs,
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
    this.hasLooked = true;
    await this.limitOpen();
  }

  private async vanish(known: KnownFile, forget: boolean): Promise<void> {
    const followed = this.followed.get(known.id)!;
    if (followed.seen !== undefined) {
      this.options.log.info({ file: known.path, offset: known.offset }, 'the file is gone');
      this.changed = true;
    }
    followed.seen = undefined;
    followed.problem = undefined;
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
    const { path, fileId } = file;
    switch (decision.kind) {
      case 'go_on':
        await this.goOn(this.followed.get(decision.known.id)!, file, nowMs);
        return true;
      case 'begin':
        this.options.log.info(
          { file: path },
          `${BEGIN_WORDS[decision.why]}: reading it from byte 0`,
        );
        await this.add({ ...START, path, firstPath: path, fileId }, file, nowMs);
        return true;
      case 'compare':
        return this.compare(file, decision.candidates, nowMs);
      case 'ignore':
        this.say(path, 'was rotated away before this state began: not read');
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
    followed.known = { ...known, path: file.path, lastSeenMs: nowMs };
    followed.seen = file;
    followed.unread.observe(file.gz ? 0 : file.size, known.offset, nowMs);
    // A gz file that has grown is decompressed anew.
    if (file.gz && seen !== undefined && seen.size !== file.size) await closeContent(followed);
    const drained = unreadBytes(followed) === 0;
    const isQuiet = nowMs - file.quietSinceMs >= this.options.graceMs;
    if (file.named === 'gone' && drained && isQuiet) await closeContent(followed);
    else if (!drained && !file.gz) await this.guarded(followed, () => contentOf(followed, file));
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
    const content = await openSeen(file);
    if (content === undefined) return false;
    try {
      // Forward, as a gz file is read.
      for (const known of candidates.toReversed()) {
        const { offset, tail } = known;
        const window = await content.read(offset - tail.bytes, tail.bytes);
        const isShort = window.length < tail.bytes;
        const mayGrow = nowMs - file.quietSinceMs < this.options.graceMs;
        if (isShort && content.ended === 'cut_short' && mayGrow) return false;
        if (!beginsWith(window, tail)) this.refuted.add(pairOf(known, file));
      }
    } catch (error) {
      this.say(file.path, `cannot be read: ${(error as Error).message}`);
      return false;
    } finally {
      await content.close();
    }
    const original = candidates.find((known) => !this.refuted.has(pairOf(known, file)));
    if (original === undefined) return false;
    const { path: was, firstPath, offset, head, tail, skipping, reader } = original;
    this.options.log.info({ file: file.path, was, offset }, 'a copy of a known file: reading on');
    const position = { offset, head, tail, skipping, reader };
    await this.add({ ...position, path: file.path, firstPath, fileId: file.fileId }, file, nowMs);
    return true;
  }

  /** Appended lines of the files in turn; undefined if there are none. */
  private async readRound(): Promise<Round | undefined> {
    const waiting = [...this.followed.values()].filter(
      (one) => one.seen !== undefined && one.problem === undefined,
    );
    // Each round begins with another file: none waits for ever behind a busy one.
    const first = waiting.length === 0 ? 0 : this.turn++ % waiting.length;
    const portions: { followed: Followed; portion: Portion; archiveBytes: number | null }[] = [];
    let bytes = 0;
    for (const followed of [...waiting.slice(first), ...waiting.slice(0, first)]) {
      if (bytes >= ROUND_BYTES || this.stopping.signal.aborted) break;
      const portion = await this.guarded(followed, () => this.readPortion(followed, waiting));
      if (portion === undefined) continue;
      bytes += portion.portion.next.offset - followed.known.offset;
      portions.push(portion);
    }
    if (portions.length === 0) return undefined;
    for (const { followed } of portions) followed.inFlight = true;
    const rejects = portions.flatMap(({ followed, portion }) =>
      portion.rejects.map((reject) => ({ file: followed.known.path, ...reject })),
    );
    return { portions, records: portions.flatMap(({ portion }) => portion.records), rejects };
  }

  private async readPortion(
    followed: Followed,
    all: readonly Followed[],
  ): Promise<Round['portions'][number] | undefined> {
    const { options } = this;
    const { known } = followed;
    const file = followed.seen!;
    const seen = all.map((one) => one.seen!);
    const closed = isClosed(file, known, seen, { nowMs: options.now(), graceMs: options.graceMs });
    const condition = `${String(file.size)} ${String(file.mtimeMs)} ${String(closed)}`;
    if (followed.exhausted === condition || known.archiveBytes === file.size) return undefined;
    const content = await contentOf(followed, file);
    if (content === undefined) return undefined;
    const chunk = await readChunk(content, known);
    if (chunk.kind === 'other') {
      this.refuted.add(pairOf(known, file));
      followed.reader = undefined;
      return undefined;
    }
    const isWhole = content.ended === 'whole' && chunk.atEnd;
    const last = closed && chunk.atEnd && (!file.gz || isWhole);
    followed.reader ??= options.openReader(file.path, known.reader);
    const portion = takePortion(chunk.window, known, followed.reader, last);
    if (chunk.atEnd) {
      followed.exhausted = condition;
      if (closed && content.ended === 'cut_short') this.say(file.path, 'ends within a gz member');
      if (file.gz) await closeContent(followed);
    }
    const end = known.offset - known.tail.bytes + chunk.window.length;
    const isDone = isWhole && (portion?.next.offset ?? known.offset) === end;
    const archiveBytes = isDone ? file.size : null;
    if (portion !== undefined) return { followed, portion, archiveBytes };
    if (archiveBytes !== null) {
      followed.known = { ...known, archiveBytes };
      this.changed = true;
    }
    return undefined;
  }

  /** Sends a round and saves where it ends. Never rejects. */
  private async deliver(round: Round): Promise<void> {
    const { options } = this;
    const { portions, records, rejects } = round;
    try {
      if (records.length > 0) await options.send(records, this.stopping.signal);
      await this.persist('the rejected lines', () => options.keepRejects(rejects, options.now()));
      for (const { followed, portion, archiveBytes } of portions) {
        followed.known = { ...followed.known, ...portion.next, archiveBytes };
        options.metrics.lines.inc(portion.lines);
      }
      options.metrics.sent.inc(records.length);
      this.report(rejects);
      await this.save();
    } catch (error) {
      if (!this.stopping.signal.aborted) this.failure = error as Error;
    } finally {
      for (const { followed } of portions) followed.inFlight = false;
      this.delivery = undefined;
      this.wake();
    }
  }

  private async save(): Promise<void> {
    this.changed = false;
    const files = [...this.followed.values()].map(({ known }) => known);
    const state = { ...this.options.state, nextId: this.nextId, files };
    await this.persist('the positions', () => this.options.save(state));
  }

  /** A full disk is waited for: nothing more is read before this is written. */
  private async persist(what: string, write: () => Promise<void>): Promise<void> {
    const { signal } = this.stopping;
    for (let pauseMs = PAUSE_MIN_MS; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS)) {
      try {
        await write();
        if (pauseMs > PAUSE_MIN_MS) this.options.log.info(`${what} can be written again`);
        return;
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        // Not the disk's but somebody's decision, such as a lock that was taken over.
        if (code === 'conflict' || signal.aborted) throw error;
        if (pauseMs === PAUSE_MIN_MS) this.options.log.error(`cannot write ${what}: ${message}`);
        await delay(pauseMs, undefined, { signal });
      }
    }
  }

  /** Sets a file aside that cannot be read: the others go on, and nothing of it is passed over. */
  private async guarded<T>(followed: Followed, look: () => Promise<T>): Promise<T | undefined> {
    try {
      return await look();
    } catch (error) {
      const { path, offset } = followed.known;
      const { message, syscall } = error as NodeJS.ErrnoException;
      followed.reader = undefined;
      if (syscall !== undefined) {
        this.say(path, `cannot be read now: ${message}`);
        return undefined;
      }
      followed.problem = `${path}: ${message}`;
      const words = 'the file is set aside; mend what is wrong and start the tail again';
      this.options.log.error({ file: path, offset, err: error }, words);
      await closeContent(followed);
      return undefined;
    }
  }

  private async limitOpen(): Promise<void> {
    const open = [...this.followed.values()].filter(
      (one) => one.content !== undefined && !one.inFlight && one.seen?.named !== 'gone',
    );
    open.sort((a, b) => (b.seen?.mtimeMs ?? 0) - (a.seen?.mtimeMs ?? 0));
    for (const one of open.slice(OPEN_MAX)) await closeContent(one);
  }

  private report(rejects: readonly Reject[]): void {
    const { metrics, log, now } = this.options;
    const nowMs = now();
    if (nowMs - this.logged.sinceMs >= LOGGED_PERIOD_MS) {
      const more = this.logged.count - LOGGED_MAX;
      if (more > 0) log.warn({ more }, 'more lines were rejected: see the file of rejects');
      this.logged = { sinceMs: nowMs, count: 0 };
    }
    for (const { file, line, column, reason } of rejects) {
      metrics.rejected.inc({ reason: this.kinds.of(reason) });
      this.logged.count += 1;
      if (this.logged.count <= LOGGED_MAX)
        log.warn({ file, line, column, reason }, 'line rejected');
    }
  }

  /** Says something of a path once, until it is something else. */
  private say(path: string, words: string): void {
    if (this.said.get(path) === words) return;
    this.said.set(path, words);
    this.options.log.warn({ file: path }, words);
  }

  /** Until the next look is due, or a round has arrived. */
  private sleep(): Promise<void> {
    if (this.ending) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.options.pollMs);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

const BEGIN_WORDS = {
  new: 'a new file',
  truncated: 'the file was truncated',
  replaced: 'another file in the place of a known one',
} as const;
