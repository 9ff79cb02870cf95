import kafkajs from 'kafkajs';
import { TruecountError } from '../../core/errors.js';
import { OFFSET_OUT_OF_RANGE, readFetchResponse } from './fetch-response.js';
import type { FetchRequestContext, RawPartition } from './fetch-response.js';
import { unknownKafkajs } from './kafkajs-guards.js';

// Node's ESM loader does not see these two as named exports of the CommonJS package.
const { KafkaJSNonRetriableError, KafkaJSProtocolError } = kafkajs;

/** What a consumer session wants to see and steer of its kafkajs cluster object. */
export interface ClusterHooks {
  /** Stamp for the answers to a fetch that is about to be sent. Throws to leave the fetch loop. */
  beforeFetch(): number;
  /** Throws to join instead: a consumer whose partitions are all paused sends no fetch. */
  beforeHeartbeat(): void;
  /** All partitions of an answer, before kafkajs sees them. */
  onAnswer(partitions: readonly RawPartition[]): void;
  /** Awaited before a JoinGroup request is sent; returns the member id to join with. */
  beforeJoin(memberId: string): Promise<string>;
  /** True once the session is over: every further use of the cluster fails. */
  isOver(): boolean;
}

/** The parts of kafkajs' internal cluster that are used; every consumer has a cluster of its own. */
export interface KafkajsCluster {
  findBroker(options: { nodeId: number | string }): Promise<KafkajsBroker>;
  fetchTopicsOffset(
    topics: { topic: string; partitions: { partition: number }[]; fromBeginning: boolean }[],
  ): Promise<{ topic: string; partitions: { partition: number; offset: string }[] }[]>;
}

interface KafkajsBroker {
  lookupRequest: Lookup;
  joinGroup(options: JoinOptions): Promise<unknown>;
  heartbeat(options: object): Promise<unknown>;
}
type Lookup = (apiKey: number, definition: unknown) => (options: object) => Call;
interface JoinOptions {
  readonly memberId: string;
}
interface FetchOptions {
  topics: { topic: string; partitions: { partition: number; fetchOffset: string }[] }[];
}
interface Call {
  readonly request: { readonly apiVersion: number };
  readonly response: {
    decode: (body: Buffer) => Promise<unknown>;
    parse: (data: unknown) => unknown;
  };
}

const FETCH_API = 1;
const FETCH_VERSION = 11;

/** The single message that kafkajs sees of a record set: its last offset moves the position. */
export interface RawMessage {
  readonly offset: string;
  readonly isControlRecord: false;
  readonly raw: RawPartition;
}

/**
 * Puts the hooks around one consumer's cluster: fetch answers are left as bytes, joins wait for the
 * session, a lost coordinator connection leads to a join. Other consumers and producers of the
 * process are not touched.
 */
export function hookCluster(cluster: KafkajsCluster, hooks: ClusterHooks): void {
  if (typeof cluster.findBroker !== 'function' || typeof cluster.fetchTopicsOffset !== 'function') {
    throw unknownKafkajs('its cluster object has another shape');
  }
  const findBroker = cluster.findBroker.bind(cluster);
  const hooked = new WeakSet<KafkajsBroker>();
  cluster.findBroker = async (options) => {
    if (hooks.isOver()) throw new KafkaJSNonRetriableError('This consumer was given up.');
    const broker = await findBroker(options);
    if (!hooked.has(broker)) {
      hookBroker(broker, hooks);
      hooked.add(broker);
    }
    return broker;
  };
}

function hookBroker(broker: KafkajsBroker, hooks: ClusterHooks): void {
  if (typeof broker.lookupRequest !== 'function' || typeof broker.joinGroup !== 'function') {
    throw unknownKafkajs('its broker object has another shape');
  }
  const joinGroup = broker.joinGroup.bind(broker);
  broker.joinGroup = async (options) =>
    joinGroup({ ...options, memberId: await hooks.beforeJoin(options.memberId) });

  const heartbeat = broker.heartbeat.bind(broker);
  broker.heartbeat = async (options) => {
    hooks.beforeHeartbeat();
    try {
      return await heartbeat(options);
    } catch (error) {
      // kafkajs keeps the dead broker object as coordinator until it joins again.
      if (isConnectionError(error)) throw rebalance('the connection to the coordinator is gone');
      throw error;
    }
  };

  // kafkajs assigns a new function at each connect, so the property itself is replaced.
  let lookup = hookLookup(broker.lookupRequest, hooks);
  Object.defineProperty(broker, 'lookupRequest', {
    get: () => lookup,
    set: (next: Lookup) => {
      lookup = hookLookup(next, hooks);
    },
  });
}

function hookLookup(lookup: Lookup, hooks: ClusterHooks): Lookup {
  return (apiKey, definition) => {
    const build = lookup(apiKey, definition);
    if (apiKey !== FETCH_API) return build;
    return (options) => hookFetch(build(options), options as FetchOptions, hooks);
  };
}

function hookFetch(call: Call, options: FetchOptions, hooks: ClusterHooks): Call {
  if (call.request.apiVersion !== FETCH_VERSION) {
    const version = String(call.request.apiVersion);
    throw giveUp(
      new TruecountError('dependency_unreachable', `The broker speaks Fetch v${version}.`, {
        hint: `Kafka 2.3 or newer is needed (Fetch v${String(FETCH_VERSION)}).`,
      }),
    );
  }
  const generation = hooks.beforeFetch();
  const offsets = new Map<string, number>();
  for (const { topic, partitions } of options.topics) {
    for (const entry of partitions) {
      offsets.set(`${topic}/${String(entry.partition)}`, Number(entry.fetchOffset));
    }
  }
  const context = {
    generation,
    offsetOf: (topic: string, partition: number): number =>
      offsets.get(`${topic}/${String(partition)}`) ?? NaN,
  };
  const decode = (body: Buffer): Promise<unknown> =>
    new Promise((resolve) => {
      const answer = readAnswer(body, context);
      hooks.onAnswer(answer.partitions);
      resolve({
        throttleTime: 0,
        clientSideThrottleTime: answer.throttleMs,
        errorCode: answer.errorCode,
        responses: answer.partitions.map(asKafkajsResponse),
      });
    });
  return { ...call, response: { decode, parse: call.response.parse } };
}

function readAnswer(
  body: Buffer,
  context: FetchRequestContext,
): ReturnType<typeof readFetchResponse> {
  try {
    return readFetchResponse(body, context);
  } catch (error) {
    throw giveUp(error);
  }
}

/** An error that kafkajs does not retry: its consumer crashes with `error` as the cause. */
export function giveUp(error: unknown): Error {
  const shown = error instanceof Error ? error : new Error(String(error));
  return Object.assign(new KafkaJSNonRetriableError(shown), { cause: shown });
}

function asKafkajsResponse(raw: RawPartition): object {
  const message: RawMessage = { offset: String(raw.endOffset - 1), isControlRecord: false, raw };
  return {
    topicName: raw.topic,
    partitions: [
      {
        partition: raw.partition,
        // The session handles this one itself; kafkajs would commit a reset and say nothing.
        errorCode: raw.errorCode === OFFSET_OUT_OF_RANGE ? 0 : raw.errorCode,
        highWatermark: String(raw.logEndOffset),
        abortedTransactions: [],
        preferredReadReplica: -1,
        messages: raw.isEmpty ? [] : [message],
      },
    ],
  };
}

/** An error that makes kafkajs join the group again, with the same member id. */
export function rebalance(reason: string): Error {
  const cause = { type: 'REBALANCE_IN_PROGRESS', code: 27, retriable: true };
  return new KafkaJSProtocolError(Object.assign(new Error(reason), cause));
}

/** Whether kafkajs answers this error with a new join: the member is not (or no longer) stable. */
export function isMembershipError(error: unknown): boolean {
  const type = (error as { type?: unknown } | null)?.type;
  return (
    type === 'REBALANCE_IN_PROGRESS' ||
    type === 'NOT_COORDINATOR_FOR_GROUP' ||
    type === 'ILLEGAL_GENERATION' ||
    type === 'UNKNOWN_MEMBER_ID'
  );
}

function isConnectionError(error: unknown): boolean {
  const name = (error as { name?: unknown } | null)?.name;
  return name === 'KafkaJSConnectionError' || name === 'KafkaJSConnectionClosedError';
}
