import { setTimeout as delay } from 'node:timers/promises';
import type { SourceRecord } from '../formats/source-item.js';
import { FollowedFiles } from './files.js';
import type { FilesOptions } from './files.js';
import { ReasonKinds } from './metrics.js';
import type { TailMetrics } from './metrics.js';
import type { Reject } from './rejects.js';
import { readRound } from './round.js';
import type { OpenReader, Round } from './round.js';
import type { TailState } from './state-file.js';

const PAUSE_MIN_MS = 250;
const PAUSE_MAX_MS = 30_000;
/** Rejections that are logged in one period; all are counted and kept. */
const LOGGED_MAX = 10;
const LOGGED_PERIOD_MS = 60_000;

export interface TailOptions extends FilesOptions {
  readonly openReader: OpenReader;
  /** Resolves when Kafka has the records; rejects when the signal is aborted, or for good. */
  readonly send: (records: readonly SourceRecord[], signal: AbortSignal) => Promise<void>;
  readonly keepRejects: (rejects: readonly Reject[], nowMs: number) => Promise<void>;
  /** Durable when it resolves. */
  readonly save: (state: TailState) => Promise<void>;
  /** Time between two looks at the files, ms. */
  readonly pollMs: number;
  readonly metrics: TailMetrics;
}

/**
 * Follows files. Each turn looks at them (`FollowedFiles`) and reads one round of appended lines,
 * unless one is on its way to Kafka still: nothing is read ahead of it, the files are the buffer.
 * Positions move, and are saved, when Kafka has acknowledged a round; after a crash the lines since
 * then are read again and give the same ids.
 */
export class Tail {
  readonly files: FollowedFiles;
  private readonly stopping = new AbortController();
  private readonly kinds = new ReasonKinds();
  private delivery: Promise<void> | undefined;
  private failure: Error | undefined;
  private ending = false;
  private wake = (): void => undefined;
  private turn = 0;
  private saving: Promise<unknown> = Promise.resolve();
  private logged = { sinceMs: 0, count: 0 };

  constructor(private readonly options: TailOptions) {
    this.files = new FollowedFiles(options);
  }

  /**
   * Looks at the files and saves what they are, so that from here on none is lost that is renamed
   * or compressed before it is read. To be called once, before `run`.
   */
  async begin(): Promise<void> {
    await this.files.observe();
    await this.save();
  }

  /** Runs until `stop`. @throws what makes going on useless; the positions are saved. */
  async run(): Promise<void> {
    const { files } = this;
    try {
      while (!this.ending && this.failure === undefined) {
        await files.observe();
        const round = this.delivery === undefined ? await this.readRound() : undefined;
        // A round may be on its way for as long as Kafka is away: what was found is saved before.
        if (files.changed) await this.save();
        if (round !== undefined) this.delivery = this.deliver(round);
        await this.sleep();
      }
      await this.delivery;
      if (files.changed && this.failure === undefined) await this.save();
    } finally {
      await files.close();
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

  private readRound(): Promise<Round | undefined> {
    const { now, graceMs, openReader } = this.options;
    return readRound(this.files, this.turn++, { nowMs: now(), graceMs }, openReader);
  }

  /** Sends a round and saves where it ends. Never rejects. */
  private async deliver(round: Round): Promise<void> {
    const { options } = this;
    const { parts, records, rejects } = round;
    try {
      if (records.length > 0) await options.send(records, this.stopping.signal);
      await this.persist('the rejected lines', () => options.keepRejects(rejects, options.now()));
      for (const { followed, portion, archiveBytes } of parts) {
        followed.known = { ...followed.known, ...portion.next, archiveBytes };
        options.metrics.lines.inc(portion.lines);
      }
      options.metrics.sent.inc(records.length);
      this.report(rejects);
      await this.save();
    } catch (error) {
      if (!this.stopping.signal.aborted) this.failure = error as Error;
    } finally {
      for (const { followed } of parts) followed.inFlight = false;
      this.delivery = undefined;
      this.wake();
    }
  }

  /** One after the other, each with what is known when its turn comes. */
  private save(): Promise<void> {
    const saved = this.saving.then(() => {
      this.files.changed = false;
      return this.persist('the positions', () => this.options.save(this.files.state()));
    });
    this.saving = saved.catch(() => undefined);
    return saved;
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
