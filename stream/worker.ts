import { TruecountError } from '../core/errors.js';
import { flush } from '../store/flush.js';
import type { FlushOutcome } from '../store/flush.js';
import { loadHours, loadOverflows } from '../store/hours.js';
import type { HourState } from '../store/hours.js';
import { reportPositions } from '../store/progress.js';
import { beginWithRuleSet, newestRuleVersion } from '../store/rule-versions.js';
import type { Logger } from 'pino';
import type pg from 'pg';
import { takePartitions } from './assignment.js';
import type { Counter } from './counter.js';
import { createCounter } from './create-counter.js';
import { Database } from './database.js';
import { giveUpOldestHours } from './dedupe-bound.js';
import { flushHead } from './flush-head.js';
import { partitionKey } from '../core/position.js';
import type { FetchedBatch, LogSource, LogSourceHandler, TopicPartition } from './log-source.js';
import type { StreamMetrics } from './metrics.js';
import { observeFlush } from './observe.js';
import type { StreamOptions } from './options.js';
import { flushIsDue } from './pacing.js';
import { PartitionState } from './partition-state.js';
import { Turns } from './turns.js';

/** How often partitions without new records renew their lease. */
const REPORT_MS = 1_000;

/**
 * One stream process: owns partitions of the log under the fence, counts, and flushes counts and
 * position in one transaction. Everything it believes is thrown away when the fence refuses it,
 * and rebuilt from Postgres and the log.
 */
export class StreamWorker implements LogSourceHandler {
  private readonly states = new Map<string, PartitionState>();
  private counter: Counter | null = null;
  /** Newest version of the rules that the counter knows. */
  private version = 0;
  private readonly turns = new Turns();
  private readonly database: Database;
  private readonly seeds = crypto.getRandomValues(new Int32Array(4));
  private lastFlushAtMs = performance.now();
  private lastFlushMs = 0;
  private lastReportAtMs = 0;
  private reporting = false;

  constructor(
    private readonly source: LogSource,
    private readonly options: StreamOptions,
    private readonly metrics: StreamMetrics,
    private readonly log: Logger,
  ) {
    this.database = new Database(
      { connection: options.postgres, applicationName: `truecount-stream ${options.owner}` },
      log,
      () => {
        metrics.retries.inc();
      },
    );
    metrics.watch(() => this.states.values());
  }

  /** Counts until `stop`. Rejects on an error that trying again cannot mend. */
  run(): Promise<void> {
    return this.turns.untilEnd(this.source.run(this), () => this.tick());
  }

  /** Why nothing can be flushed, if it has been so for some seconds. */
  problem(): string | undefined {
    return this.database.problem();
  }

  /** A last flush, then leaves the group. */
  async stop(): Promise<void> {
    this.turns.endTicks();
    await this.source.close();
    await this.turns.run(() => this.flush());
    this.database.close();
  }

  assigned(partitions: readonly TopicPartition[]): Promise<ReadonlyMap<string, number>> {
    return this.turns.run(async () => {
      const owned = new Set(partitions.map(partitionKey));
      for (const key of this.states.keys()) if (!owned.has(key)) this.states.delete(key);
      await this.database.run('taking partitions', (client) => this.take(client, partitions));
      this.log.info({ partitions: [...owned] }, 'partitions assigned');
      return new Map([...this.states].map(([key, state]) => [key, state.position]));
    });
  }

  revoking(): Promise<void> {
    return this.turns.run(() => this.flush());
  }

  batch(batch: FetchedBatch): Promise<void> {
    return this.turns.run(async () => {
      const state = this.states.get(partitionKey(batch));
      const { counter } = this;
      if (state === undefined || counter === null) return;
      if (!this.continues(state, batch)) return;
      do {
        const damage = counter.read(state, batch);
        if (damage !== undefined) this.log.error({ err: damage }, 'a damaged record batch is lost');
        state.logEndOffset = batch.logEndOffset;
        state.atEnd = state.position >= batch.logEndOffset;
        this.boundMemory();
        if (this.flushDue()) await this.flush();
        // A compressed fetch can hold many flushes. A flush that was refused ends it.
      } while (state.position < batch.endOffset && this.states.get(partitionKey(batch)) === state);
    });
  }

  atEnd(tp: TopicPartition, offset: number, logStartOffset: number): void {
    this.turns.queue(() => {
      const state = this.states.get(partitionKey(tp));
      if (state === undefined) return Promise.resolve();
      if (logStartOffset > state.position) state.skipTo(logStartOffset, 'retention');
      if (offset < state.position) return Promise.resolve();
      refuseShorterLog(state, offset);
      state.logEndOffset = offset;
      state.atEnd = true;
      return Promise.resolve();
    });
  }

  /** False if the batch is not what follows; throws if the log is not the one we counted. */
  private continues(state: PartitionState, batch: FetchedBatch): boolean {
    refuseShorterLog(state, batch.logEndOffset);
    const jumped = batch.fetchedOffset > state.position;
    if (jumped && batch.logStartOffset <= state.position) {
      this.source.seek(batch, state.position);
      return false;
    }
    return true;
  }

  private async take(client: pg.Client, partitions: readonly TopicPartition[]): Promise<void> {
    const taken = await takePartitions(client, partitions, this.options.owner, this.states);
    const hours = await loadHours(client);
    const counter = await this.prepareCounter(client, hours);
    const overflows = await loadOverflows(client);
    for (const [tp, assignment] of taken) {
      if (this.states.has(partitionKey(tp))) continue;
      const given = overflows.filter((o) => o.slot === assignment.slot).map((o) => o.hourMs);
      this.states.set(partitionKey(tp), new PartitionState(tp, assignment, new Set(given)));
    }
    counter.learn(hours, this.states.values());
  }

  /** A counter that knows the rule sets of all hours; a new one starts with nothing believed. */
  private async prepareCounter(client: pg.Client, hours: readonly HourState[]): Promise<Counter> {
    if (this.counter?.knows(hours.map((hour) => hour.pin)) === true) return this.counter;
    if (this.options.ruleSet !== undefined) await beginWithRuleSet(client, this.options.ruleSet);
    this.states.clear();
    this.counter = await this.newCounter(client, hours);
    return this.counter;
  }

  private async newCounter(client: pg.Client, hours: readonly HourState[]): Promise<Counter> {
    const { flushClicksMax } = this.options;
    const created = await createCounter(client, hours, { seeds: this.seeds, flushClicksMax });
    this.version = created.version;
    return created.counter;
  }

  /** Before an hour comes that a newer version of the rules counts, the counter knows it. */
  private async followRules(): Promise<void> {
    const newest = await this.database.run('a look at the rules', newestRuleVersion);
    if (newest === this.version || this.counter === null) return;
    await this.flush();
    const before = this.counter as Counter | null;
    if (before === null) return;
    const counter = await this.database.run('reading the rules', async (client) =>
      this.newCounter(client, await loadHours(client)),
    );
    counter.adopt(before, this.states.values());
    this.counter = counter;
    this.log.info({ version: newest }, 'a rule set was put');
  }

  private flushDue(): boolean {
    const { counter } = this;
    if (counter === null) return false;
    let lag = 0;
    for (const state of this.states.values()) {
      lag += Math.max(0, (state.logEndOffset ?? 0) - state.position);
    }
    return flushIsDue(
      {
        elapsedMs: performance.now() - this.lastFlushAtMs,
        lastFlushMs: this.lastFlushMs,
        full: counter.full,
        lag,
      },
      this.options,
    );
  }

  private async flush(): Promise<void> {
    const { counter } = this;
    const moved = new Set([...this.states.values()].filter((state) => state.moved));
    if (counter === null || moved.size === 0) return;
    const head = flushHead(counter, moved);
    let startedAtMs = 0;
    const outcome = await this.database.run('a flush', (client) => {
      // Of the try that succeeds: how long Postgres was away is not what a flush takes.
      startedAtMs = performance.now();
      return flush(client, head, (states) => {
        const pins = new Map(counter.pins);
        for (const { hourMs, pin } of states) pins.set(hourMs, pin);
        if (!counter.buffer.builtBy(pins, moved)) return null;
        const cutHours = new Set(counter.cutHours);
        for (const { hourMs, cut } of states) if (cut) cutHours.add(hourMs);
        return counter.buffer.body(moved, cutHours, counter.texts);
      });
    });
    this.lastFlushMs = performance.now() - startedAtMs;
    this.lastFlushAtMs = performance.now();
    this.settle(counter, moved, outcome);
  }

  /** Hours that the worker holds memory or counts of. */
  private openHours(): number[] {
    const open = new Set<number>();
    for (const state of this.states.values()) {
      for (const hour of state.hours.values()) if (!hour.cut) open.add(hour.hourMs);
    }
    return [...open];
  }

  private settle(
    counter: Counter,
    moved: ReadonlySet<PartitionState>,
    outcome: FlushOutcome,
  ): void {
    if (outcome.kind !== 'committed') {
      if (outcome.kind === 'refused') this.metrics.refused.inc();
      this.log.warn({ outcome: outcome.kind }, 'flush refused: state thrown away, joining again');
      this.throwAway();
      return;
    }
    this.metrics.flushSeconds.observe(this.lastFlushMs / 1000);
    this.metrics.flushRows.observe(counter.buffer.cells.rows);
    observeFlush(this.metrics, this.log, moved, [...this.states.values()]);
    counter.committed(moved);
    this.learn(counter, outcome.states);
    this.reportForLagTools(moved);
  }

  /** Not waited for: it may retry for seconds, and nobody here reads it back. */
  private reportForLagTools(moved: ReadonlySet<PartitionState>): void {
    if (this.reporting) return;
    this.reporting = true;
    const positions = [...moved].map((s) => [partitionKey(s), s.committedOffset] as const);
    void this.source.reportCommitted(new Map(positions)).finally(() => {
      this.reporting = false;
    });
  }

  /** Takes over hour states. A pin that this counter cannot count by makes everything start anew. */
  private learn(counter: Counter, states: readonly HourState[]): void {
    counter.learn(states, this.states.values());
    if (!counter.knows(states.map((state) => state.pin))) this.throwAway();
  }

  private throwAway(): void {
    this.states.clear();
    this.counter = null;
    // Not awaited: joining again waits for the handler that we are in.
    this.source.rejoin().catch((error: unknown) => {
      this.log.error({ err: error }, 'could not join the group again');
    });
  }

  private boundMemory(): void {
    const given = giveUpOldestHours(this.states.values(), this.options.dedupeBytesMax);
    for (const cause of given) {
      this.metrics.overflow.inc();
      this.log.error(cause, 'dedupe memory of an hour given up: its live count may be too high');
    }
  }

  private async tick(): Promise<void> {
    if (this.flushDue()) await this.flush();
    if (performance.now() - this.lastReportAtMs < REPORT_MS) return;
    this.lastReportAtMs = performance.now();
    await this.followRules();
    const quiet = [...this.states.values()].filter((state) => !state.moved);
    if (quiet.length === 0) return;
    const reports = quiet.map((state) => ({
      slot: state.slot,
      epoch: state.epoch,
      nextOffset: state.committedOffset,
      logEndOffset: state.logEndOffset,
      atEnd: state.atEnd && !state.rebuilding,
    }));
    const { ours, hours } = await this.database.run('a position report', async (client) => ({
      ours: await reportPositions(client, reports),
      hours: await loadHours(client, this.openHours()),
    }));
    if (!ours) this.throwAway();
    // A partition without new clicks hears of cuts here, and drops the memory of those hours.
    else if (this.counter !== null) this.learn(this.counter, hours);
  }
}

/** Throws log_went_backwards if the log ends below what is counted: it is not the one we counted. */
function refuseShorterLog(state: PartitionState, logEndOffset: number): void {
  if (logEndOffset >= state.committedOffset) return;
  throw new TruecountError(
    'log_went_backwards',
    `${partitionKey(state)} ends at ${String(logEndOffset)}, but ` +
      `${String(state.committedOffset)} offsets of it are counted: the topic was recreated or truncated`,
    { hint: 'count the new topic under another name; truecount never counts an offset twice' },
  );
}
