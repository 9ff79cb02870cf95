import { setTimeout as sleep } from 'node:timers/promises';
import { TruecountError } from '../../core/errors.js';
import type { LogSource, LogSourceHandler, TopicPartition } from '../log-source.js';
import { HandlerGate } from './handler-gate.js';
import { ConsumerSession, HandlerFailure } from './session.js';
import { resolveSettings } from './settings.js';
import type { KafkaSourceSettings, ResolvedSettings } from './settings.js';

const FIRST_BACKOFF_MS = 200;
const LAST_BACKOFF_MS = 5_000;

/** Protocol errors that no waiting mends, with what to do. */
const REFUSALS: Readonly<Record<string, string>> = {
  TOPIC_AUTHORIZATION_FAILED: 'Allow the principal to read the topics.',
  GROUP_AUTHORIZATION_FAILED: 'Allow the principal to use the consumer group.',
  CLUSTER_AUTHORIZATION_FAILED: 'Allow the principal to use the cluster.',
  INVALID_GROUP_ID: 'Set a valid group id.',
  INVALID_TOPIC_EXCEPTION: 'Set valid topic names.',
  INVALID_SESSION_TIMEOUT: 'Set a session timeout within the bounds of the broker.',
  INCONSISTENT_GROUP_PROTOCOL: 'Use a group id that no other kind of client uses.',
};

/**
 * The log in Kafka, read through kafkajs. It outlives broker restarts of any length: kafkajs
 * retries for some seconds, then its consumer is made anew, with growing pauses.
 *
 * Calls to the handler never overlap. `run` rejects with whatever the handler threw, with
 * `corrupt_record_batch`, with `log_went_backwards`, or with `dependency_unreachable` when Kafka
 * refuses the client for good.
 */
export class KafkaLogSource implements LogSource {
  private readonly settings: ResolvedSettings;
  private readonly closed = new AbortController();
  private session: ConsumerSession | undefined;

  constructor(settings: KafkaSourceSettings) {
    this.settings = resolveSettings(settings);
  }

  async run(handler: LogSourceHandler): Promise<void> {
    let backoffMs = FIRST_BACKOFF_MS;
    let memberId = '';
    // Outlives the consumers: a call that is still running when one broke holds up the next.
    const gate = new HandlerGate();
    while (!this.closed.signal.aborted) {
      const session = new ConsumerSession(this.settings, handler, gate, memberId);
      this.session = session;
      try {
        await session.run();
      } catch (error) {
        memberId = await session.abandon();
        if (this.closed.signal.aborted) return;
        throwIfFinal(error);
        if (session.hasJoined) backoffMs = FIRST_BACKOFF_MS;
        this.settings.logger.warn({ error, backoffMs }, 'Kafka consumer broke, starting it again');
      }
      await this.pause(backoffMs);
      backoffMs = Math.min(2 * backoffMs, LAST_BACKOFF_MS);
    }
  }

  seek(tp: TopicPartition, offset: number): void {
    this.session?.seek(tp, offset);
  }

  /**
   * Joins the group again under the same member id, so a live member does not disturb the others
   * more than needed, and one that was thrown out learns it. Takes effect before the next batch.
   */
  rejoin(): Promise<void> {
    this.session?.rejoin();
    return Promise.resolve();
  }

  async reportCommitted(positions: ReadonlyMap<string, number>): Promise<void> {
    try {
      await this.session?.commit(positions);
    } catch (error) {
      this.settings.logger.debug({ error }, 'could not report positions to Kafka');
    }
  }

  /** Not to be awaited by the handler itself: it waits for the running call. */
  async close(): Promise<void> {
    this.closed.abort();
    await this.session?.close();
  }

  private async pause(ms: number): Promise<void> {
    try {
      await sleep(ms, undefined, { signal: this.closed.signal });
    } catch {
      // Closed while waiting: the loop ends.
    }
  }
}

function throwIfFinal(error: unknown): void {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof HandlerFailure) throw cause.cause;
    if (cause instanceof TruecountError) throw cause;
    const type = (cause as { type?: string }).type ?? '';
    const hint = cause.name === 'KafkaJSSASLAuthenticationError' ? SASL_HINT : REFUSALS[type];
    if (hint === undefined) continue;
    throw new TruecountError('dependency_unreachable', `Kafka refuses: ${cause.message}`, {
      hint,
      cause,
    });
  }
}

const SASL_HINT = 'Check the SASL mechanism, user and password.';
