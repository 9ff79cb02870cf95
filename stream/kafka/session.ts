import type { Consumer, EachBatchPayload } from 'kafkajs';
import { TruecountError } from '../../core/errors.js';
import { partitionKey } from '../../core/position.js';
import type { LogSourceHandler, TopicPartition } from '../log-source.js';
import { giveUp, isMembershipError, rebalance } from './cluster-hooks.js';
import type { ClusterHooks, RawMessage } from './cluster-hooks.js';
import { createHookedConsumer } from './consumer.js';
import { OFFSET_OUT_OF_RANGE } from './fetch-response.js';
import type { RawPartition } from './fetch-response.js';
import { settlesWithin } from './handler-gate.js';
import type { HandlerGate } from './handler-gate.js';
import { OutOfRange } from './out-of-range.js';
import type { ResolvedSettings, SourceLogger } from './settings.js';

/** A failure of the handler: no retry of the connection mends it. */
export class HandlerFailure extends Error {
  constructor(override readonly cause: unknown) {
    super('The handler failed');
  }
}

/** Share of the rebalance timeout that the flush before a join may take. */
const REVOKE_SHARE = 1 / 3;

/**
 * One life of one kafkajs consumer, from its first join to its end.
 *
 * Every (re)join starts a *generation*: its partitions are paused at once, the handler is asked for
 * positions, they are sought, then resumed. A batch is handed over only if it was asked for in the
 * present generation and starts exactly where the partition is to be read.
 */
export class ConsumerSession implements ClusterHooks {
  private readonly consumer: Consumer;
  private readonly outOfRange: OutOfRange;
  private readonly log: SourceLogger;

  private generation = 0;
  /** Positions are known and sought: batches of this generation may be handed over. */
  private isReady = false;
  private owned: TopicPartition[] = [];
  /** Where the handler is to go on reading, by partition key. */
  private readonly wanted = new Map<string, number>();
  private readonly ends = new Map<string, RawPartition>();
  private joinReason: Error | undefined;
  private memberId = '';
  private lastProgressMs = Date.now();
  private over = false;
  private closing: Promise<void> | undefined;
  private end: { resolve: () => void; reject: (error: unknown) => void } | undefined;
  /** Whether this session has ever been given partitions or an empty assignment. */
  hasJoined = false;

  /** `formerMemberId`: of a session that crashed; joining with it spares the group a wait. */
  constructor(
    private readonly settings: ResolvedSettings,
    private readonly handler: LogSourceHandler,
    private readonly gate: HandlerGate,
    private formerMemberId: string,
  ) {
    this.log = settings.logger;
    const { consumer, cluster } = createHookedConsumer(settings, this);
    this.consumer = consumer;
    this.outOfRange = new OutOfRange(cluster, {
      pause: (tp) => {
        consumer.pause([{ topic: tp.topic, partitions: [tp.partition] }]);
      },
      resume: (tp) => {
        consumer.resume([{ topic: tp.topic, partitions: [tp.partition] }]);
      },
      isWanted: (raw) =>
        this.isCurrent(raw) && this.wanted.get(partitionKey(raw)) === raw.fetchedOffset,
      jump: (tp, offset) => {
        this.moveTo(tp, offset);
      },
      fail: (error) => {
        this.end?.reject(error);
      },
      log: this.log,
    });
  }

  /** Resolves when `close` ends the session; rejects when it broke. */
  async run(): Promise<void> {
    const ended = new Promise<void>((resolve, reject) => {
      this.end = { resolve, reject };
    });
    ended.catch(() => undefined);
    const { events } = this.consumer;
    this.consumer.on(events.GROUP_JOIN, ({ payload }) => {
      this.onJoin(payload.memberId, payload.memberAssignment);
    });
    this.consumer.on(events.FETCH, () => {
      if (!this.isReady || this.owned.length === 0) this.progress();
    });
    this.consumer.on(events.CRASH, ({ payload }) => {
      this.isReady = false;
      this.end?.reject(payload.error);
    });
    const watchdog = this.startWatchdog();
    try {
      await Promise.race([ended, this.start()]);
      await ended;
    } finally {
      clearInterval(watchdog);
    }
  }

  private async start(): Promise<void> {
    await this.consumer.connect();
    await this.consumer.subscribe({ topics: [...this.settings.topics], fromBeginning: true });
    await this.consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: true,
      partitionsConsumedConcurrently: 1,
      eachBatch: (payload) => this.onBatch(payload),
    });
  }

  /** Reads a partition from another offset; between assignments `assigned` gives the positions. */
  seek(tp: TopicPartition, offset: number): void {
    if (this.isReady) this.moveTo(tp, offset);
  }

  private moveTo(tp: TopicPartition, offset: number): void {
    this.wanted.set(partitionKey(tp), offset);
    this.consumer.seek({ topic: tp.topic, partition: tp.partition, offset: String(offset) });
  }

  /** Joins anew at the next fetch; nothing of the present generation is handed over any more. */
  rejoin(): void {
    this.generation += 1;
    this.isReady = false;
    this.joinReason = rebalance('the stream asked for a new assignment');
  }

  async commit(positions: ReadonlyMap<string, number>): Promise<void> {
    const offsets = this.owned.flatMap((tp) => {
      const offset = positions.get(partitionKey(tp));
      return offset === undefined ? [] : [{ ...tp, offset: String(offset) }];
    });
    if (offsets.length > 0 && this.isReady) await this.consumer.commitOffsets(offsets);
  }

  /** Lets the handler flush, leaves the group and ends `run`; bounded by `closeMs`. */
  close(): Promise<void> {
    this.closing ??= this.shutDown(true);
    return this.closing;
  }

  /** Gives the consumer up after a failure, without a flush. Returns the member id to go on with. */
  async abandon(): Promise<string> {
    const memberId = this.memberId;
    this.closing ??= this.shutDown(false);
    await this.closing;
    return memberId;
  }

  private async shutDown(flush: boolean): Promise<void> {
    const { closeMs } = this.settings;
    if (flush && this.owned.length > 0) {
      await settlesWithin(
        this.gate.run(() => this.handler.revoking()),
        closeMs,
      );
    }
    this.generation += 1;
    this.isReady = false;
    this.outOfRange.stop();
    if (!(await settlesWithin(this.consumer.disconnect(), closeMs))) {
      this.log.warn({ groupId: this.settings.groupId }, 'Kafka consumer did not stop in time');
    }
    this.over = true;
    this.end?.resolve();
  }

  // --- ClusterHooks ---

  isOver(): boolean {
    return this.over;
  }

  beforeFetch(): number {
    this.beforeHeartbeat();
    return this.generation;
  }

  beforeHeartbeat(): void {
    if (this.joinReason !== undefined) throw this.joinReason;
  }

  async beforeJoin(memberId: string): Promise<string> {
    this.progress();
    const hadPartitions = this.owned.length > 0;
    const wasReady = this.isReady;
    this.owned = [];
    if (hadPartitions) {
      const flush = this.guard(this.gate.run(() => ofHandler(() => this.handler.revoking())));
      const inTime = await settlesWithin(flush, this.settings.rebalanceTimeoutMs * REVOKE_SHARE);
      if (!inTime) this.log.warn({ wasReady }, 'joined again without waiting longer for the flush');
    }
    this.generation += 1;
    this.isReady = false;
    const former = this.formerMemberId;
    this.formerMemberId = '';
    return memberId === '' ? former : memberId;
  }

  onAnswer(partitions: readonly RawPartition[]): void {
    this.progress();
    for (const raw of partitions) {
      if (!this.isCurrent(raw)) continue;
      if (raw.errorCode === OFFSET_OUT_OF_RANGE) this.outOfRange.handle(raw);
      else if (raw.errorCode === 0 && raw.isEmpty && raw.fetchedOffset >= raw.logEndOffset) {
        this.ends.set(partitionKey(raw), raw);
      }
    }
    if (this.ends.size > 0 && !this.gate.isBusy)
      this.callHandler(() => {
        this.reportEnds();
      });
  }

  // --- joining ---

  private onJoin(memberId: string, assignment: Record<string, number[]>): void {
    this.progress();
    this.hasJoined = true;
    this.memberId = memberId;
    this.generation += 1;
    this.isReady = false;
    this.joinReason = undefined;
    this.wanted.clear();
    this.ends.clear();
    this.owned = Object.entries(assignment).flatMap(([topic, partitions]) =>
      partitions.map((partition) => ({ topic, partition })),
    );
    this.consumer.pause(byTopic(this.owned));
    const generation = this.generation;
    this.callHandler(() => this.assign(generation));
  }

  private async assign(generation: number): Promise<void> {
    if (generation !== this.generation) return;
    const positions = await ofHandler(() => this.handler.assigned(this.owned));
    if (generation !== this.generation) return;
    for (const tp of this.owned) {
      const offset = positions.get(partitionKey(tp));
      if (offset === undefined) {
        throw new TruecountError('internal', `No position was given for ${partitionKey(tp)}.`);
      }
      this.moveTo(tp, offset);
    }
    this.consumer.resume(byTopic(this.owned));
    this.isReady = true;
    this.progress();
  }

  // --- delivery ---

  private async onBatch(payload: EachBatchPayload): Promise<void> {
    const message = payload.batch.messages[0] as unknown as Partial<RawMessage> | undefined;
    const raw = message?.raw;
    if (raw === undefined) throw giveUp(new TruecountError('internal', 'kafkajs decoded a batch.'));
    await this.guard(this.gate.run(() => this.deliver(raw, payload)));
    this.progress();
    if (this.joinReason !== undefined) throw this.joinReason;
  }

  private async deliver(raw: RawPartition, payload: EachBatchPayload): Promise<void> {
    const key = partitionKey(raw);
    const wanted = this.wanted.get(key);
    if (!this.isCurrent(raw) || wanted === undefined) return;
    if (raw.fetchedOffset !== wanted) {
      this.log.debug({ key, wanted, fetched: raw.fetchedOffset }, 'dropped a batch, sought again');
      this.moveTo(raw, wanted);
      return;
    }
    // Taken out while the handler has the batch, so that a seek of the handler is seen.
    this.wanted.delete(key);
    const generation = this.generation;
    const beat = setInterval(
      () => void this.heartbeat(payload).catch(() => undefined),
      this.settings.heartbeatMs,
    );
    try {
      await ofHandler(() => this.handler.batch(raw, () => this.heartbeat(payload)));
    } finally {
      clearInterval(beat);
    }
    if (generation === this.generation && !this.wanted.has(key))
      this.wanted.set(key, raw.endOffset);
    this.reportEnds();
  }

  /** Rejects only when the membership is lost; the batch is then to be left. */
  private async heartbeat(payload: EachBatchPayload): Promise<void> {
    this.progress();
    try {
      await payload.heartbeat();
    } catch (error) {
      if (!isMembershipError(error)) {
        this.log.debug({ error }, 'heartbeat failed, the next fetch will tell');
        return;
      }
      this.joinReason ??= error as Error;
    }
    if (this.joinReason !== undefined) throw this.joinReason;
  }

  private reportEnds(): void {
    for (const [key, raw] of this.ends) {
      if (!this.isCurrent(raw) || this.wanted.get(key) !== raw.fetchedOffset) continue;
      try {
        this.handler.atEnd(raw, raw.fetchedOffset, raw.logStartOffset);
      } catch (error) {
        throw new HandlerFailure(error);
      }
    }
    this.ends.clear();
  }

  private isCurrent(raw: RawPartition): boolean {
    return this.isReady && raw.generation === this.generation;
  }

  // --- failure ---

  private callHandler(call: () => Promise<void> | void): void {
    this.guard(this.gate.run(call)).catch(() => undefined);
  }

  /** Passes membership errors on to kafkajs; anything else ends the session. */
  private async guard(call: Promise<void>): Promise<void> {
    try {
      await call;
    } catch (error) {
      if (isMembershipError(error)) throw error;
      this.end?.reject(error);
      throw giveUp(error);
    }
  }

  private progress(): void {
    this.lastProgressMs = Date.now();
  }

  /** kafkajs can hang without an error; a consumer without news is not waited for. */
  private startWatchdog(): NodeJS.Timeout {
    const { stallMs } = this.settings;
    return setInterval(() => {
      if (this.gate.isBusy) this.progress();
      if (Date.now() - this.lastProgressMs < stallMs) return;
      this.end?.reject(new Error(`no answer from Kafka for ${String(stallMs)} ms`));
    }, stallMs / 10);
  }
}

/** Marks errors of the handler, except those that it only passes on from a heartbeat. */
async function ofHandler<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw isMembershipError(error) ? error : new HandlerFailure(error);
  }
}

function byTopic(partitions: readonly TopicPartition[]): { topic: string; partitions: number[] }[] {
  const topics = new Map<string, number[]>();
  for (const { topic, partition } of partitions) {
    topics.set(topic, [...(topics.get(topic) ?? []), partition]);
  }
  return [...topics].map(([topic, numbers]) => ({ topic, partitions: numbers }));
}
