import type { Logger } from 'pino';
import type pg from 'pg';
import { partitionKey } from '../../core/position.js';
import { ClickWriter, writerMemoryMb } from '../../lake/click-writer.js';
import { commitArchive } from '../../store/archive/flush.js';
import type { ArchiveOutcome } from '../../store/archive/flush.js';
import { reportArchivePositions, takeArchivePartition } from '../../store/archive/progress.js';
import { Database } from '../database.js';
import type { FetchedBatch, LogSource, LogSourceHandler, TopicPartition } from '../log-source.js';
import { writeFiles } from './files.js';
import type { WrittenFiles } from './files.js';
import { LakeAccess } from './lake-access.js';
import type { ArchiveMetrics } from './metrics.js';
import { FLUSH_SHARE } from './options.js';
import type { ArchiveOptions } from './options.js';
import { ArchivePartition } from './partition.js';
import { ArchiveReader } from './reader.js';
import { Turns } from '../turns.js';

/** How often it renews its lease and asks whether anybody waits for what is buffered. */
const REPORT_MS = 1_000;

/**
 * One archive process: owns partitions of the log under a fence of its own, writes their clicks into
 * files of the lake, and lists files and moves its position in one transaction. Everything it
 * believes is thrown away when the fence refuses it; files that were never listed are swept.
 */
export class ArchiveWorker implements LogSourceHandler {
  private readonly states = new Map<string, ArchivePartition>();
  private readonly turns = new Turns();
  private readonly database: Database;
  private readonly lake: LakeAccess;
  private readonly reader: ArchiveReader;
  private lastFlushAtMs = performance.now();
  private lastFlushMs = 0;
  private lastReportAtMs = 0;
  private wanted = false;

  /**
   * Opens the buffer. `onAssigned` is told of every assignment, once the epochs are bumped. Throws
   * what DuckDB throws if it cannot start.
   */
  static async open(
    source: LogSource,
    options: ArchiveOptions,
    metrics: ArchiveMetrics,
    log: Logger,
    onAssigned: () => void = () => undefined,
  ): Promise<ArchiveWorker> {
    const writer = await ClickWriter.open({
      folder: options.workFolder,
      buckets: options.buckets,
      memoryMb: writerMemoryMb(options.flushBytesMax),
    });
    return new ArchiveWorker(source, options, metrics, log, onAssigned, writer);
  }

  private constructor(
    private readonly source: LogSource,
    private readonly options: ArchiveOptions,
    private readonly metrics: ArchiveMetrics,
    private readonly log: Logger,
    private readonly onAssigned: () => void,
    private readonly writer: ClickWriter,
  ) {
    const { owner, postgres: connection } = options;
    const onRetry = (): void => {
      metrics.retries.inc();
    };
    this.database = new Database(
      { connection, applicationName: `truecount-archive ${owner}` },
      log,
      onRetry,
    );
    this.lake = new LakeAccess(log, onRetry);
    this.reader = new ArchiveReader(writer, options.flushBytesMax);
    metrics.watch(() => this.states.values());
  }

  /** Archives until `stop`. Rejects on an error that trying again cannot mend. */
  run(): Promise<void> {
    return this.turns.untilEnd(this.source.run(this), () => this.tick());
  }

  /** Why nothing can be archived, if it has been so for some seconds. */
  problem(): string | undefined {
    return this.database.problem() ?? this.lake.problem();
  }

  /** A last commit, then leaves the group. */
  async stop(): Promise<void> {
    this.turns.endTicks();
    await this.source.close();
    await this.turns.run(() => this.flush());
    this.database.close();
    this.writer.close();
  }

  assigned(partitions: readonly TopicPartition[]): Promise<ReadonlyMap<string, number>> {
    return this.turns.run(async () => {
      const owned = new Set(partitions.map(partitionKey));
      for (const key of this.states.keys()) if (!owned.has(key)) this.states.delete(key);
      await this.database.run('taking partitions', (client) => this.take(client, partitions));
      // What was buffered of partitions that are not ours any more.
      if (![...this.states.values()].some((state) => state.moved)) await this.emptyBuffer();
      this.onAssigned();
      this.log.info({ partitions: [...owned] }, 'partitions assigned');
      return new Map([...this.states].map(([key, state]) => [key, state.position]));
    });
  }

  /** What is believed of a partition stays if nobody else has held it since our last commit. */
  private async take(client: pg.Client, partitions: readonly TopicPartition[]): Promise<void> {
    const sorted = [...partitions].sort(
      (a, b) => Number(a.topic > b.topic) - Number(a.topic < b.topic) || a.partition - b.partition,
    );
    for (const tp of sorted) {
      const { topic, partition } = tp;
      const taken = await takeArchivePartition(client, topic, partition, this.options.owner);
      const state = this.states.get(partitionKey(tp));
      if (state?.epoch === taken.epoch - 1 && state.committedOffset === taken.nextOffset) {
        state.epoch = taken.epoch;
        continue;
      }
      const source = await this.writer.addSource(topic, partition);
      this.states.set(partitionKey(tp), new ArchivePartition(tp, taken, source));
    }
  }

  revoking(): Promise<void> {
    return this.turns.run(() => this.flush());
  }

  batch(batch: FetchedBatch): Promise<void> {
    return this.turns.run(async () => {
      const state = this.states.get(partitionKey(batch));
      if (state === undefined || !this.continues(state, batch)) return;
      do {
        const damage = this.reader.read(state, batch);
        if (damage !== undefined) this.log.error({ err: damage }, 'a damaged record batch is lost');
        state.logEndOffset = batch.logEndOffset;
        this.metrics.buffered.set(this.writer.bytes);
        if (this.flushDue()) await this.flush();
        // A compressed fetch can hold more than one buffer. A commit that was refused ends it.
      } while (state.position < batch.endOffset && this.states.get(partitionKey(batch)) === state);
    });
  }

  atEnd(tp: TopicPartition, offset: number, logStartOffset: number): void {
    this.turns.queue(() => {
      const state = this.states.get(partitionKey(tp));
      if (state === undefined) return Promise.resolve();
      state.skipTo(logStartOffset, 'retention');
      if (offset >= state.position) state.logEndOffset = offset;
      return Promise.resolve();
    });
  }

  /** False if the batch is not what follows; throws if the log is not the one we archived. */
  private continues(state: ArchivePartition, batch: FetchedBatch): boolean {
    state.refuseShorterLog(batch.logEndOffset);
    const jumped = batch.fetchedOffset > state.position;
    if (jumped && batch.logStartOffset <= state.position) {
      this.source.seek(batch, state.position);
      return false;
    }
    return true;
  }

  private flushDue(): boolean {
    if (this.reader.full) return true;
    const elapsedMs = performance.now() - this.lastFlushAtMs;
    const shareMs = Math.min(FLUSH_SHARE * this.lastFlushMs, this.options.flushIntervalMs);
    return elapsedMs >= (this.wanted ? shareMs : this.options.flushIntervalMs);
  }

  private async flush(): Promise<void> {
    const moved = [...this.states.values()]
      .filter((state) => state.moved)
      .sort((a, b) => a.slot - b.slot);
    const startedMs = performance.now();
    this.lastFlushAtMs = startedMs;
    if (moved.length === 0) return;
    const written = await this.lake.run('writing files', () =>
      writeFiles(this.writer, moved, this.options),
    );
    const ranges = moved.map((state) => state.range());
    const losses = moved.flatMap((state) => state.losses);
    const outcome = await this.database.run('a commit', (client) =>
      commitArchive(client, { ...written, ranges, losses }),
    );
    this.lastFlushAtMs = performance.now();
    this.lastFlushMs = this.lastFlushAtMs - startedMs;
    await this.settle(moved, written, outcome);
  }

  private async settle(
    moved: readonly ArchivePartition[],
    { files }: WrittenFiles,
    outcome: ArchiveOutcome,
  ): Promise<void> {
    if (outcome.kind === 'refused') {
      this.metrics.refused.inc();
      this.log.warn({ outcome: 'refused' }, 'commit refused: state thrown away, joining again');
      await this.throwAway();
      return;
    }
    this.observe(moved, files);
    for (const state of moved) state.committed();
    this.wanted = false;
    await this.emptyBuffer();
    const positions = moved.map((s) => [partitionKey(s), s.committedOffset] as const);
    void this.source.reportCommitted(new Map(positions));
  }

  private observe(moved: readonly ArchivePartition[], files: WrittenFiles['files']): void {
    const { metrics } = this;
    metrics.commitSeconds.observe(this.lastFlushMs / 1000);
    metrics.files.inc(files.length);
    metrics.bytes.inc(files.reduce((sum, file) => sum + file.bytes, 0));
    for (const state of moved) {
      const { archived, rejected, lost, control } = state.range();
      for (const [fate, n] of Object.entries({ archived, rejected, lost, control })) {
        metrics.records.inc({ fate }, n);
      }
      for (const loss of state.losses) {
        this.log.error(loss, 'offsets of the log were never archived');
      }
    }
  }

  private async emptyBuffer(): Promise<void> {
    await this.writer.clear();
    this.reader.cleared();
    this.metrics.buffered.set(0);
  }

  private async throwAway(): Promise<void> {
    this.states.clear();
    await this.emptyBuffer();
    // Not awaited: joining again waits for the handler that we are in.
    this.source.rejoin().catch((error: unknown) => {
      this.log.error({ err: error }, 'could not join the group again');
    });
  }

  private async tick(): Promise<void> {
    if (this.flushDue()) await this.flush();
    if (performance.now() - this.lastReportAtMs < REPORT_MS || this.states.size === 0) return;
    this.lastReportAtMs = performance.now();
    const reports = [...this.states.values()].map((state) => ({
      slot: state.slot,
      epoch: state.epoch,
      nextOffset: state.committedOffset,
      position: state.position,
      logEndOffset: state.logEndOffset,
    }));
    const answer = await this.database.run('a position report', (client) =>
      reportArchivePositions(client, reports),
    );
    this.wanted = answer.wanted;
    if (!answer.ours) await this.throwAway();
  }
}
