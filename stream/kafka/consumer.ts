import { Kafka, PartitionAssigners, logLevel } from 'kafkajs';
import type { Consumer, PartitionAssigner, logCreator } from 'kafkajs';
import { hookCluster } from './cluster-hooks.js';
import type { ClusterHooks, KafkajsCluster } from './cluster-hooks.js';
import { applyKafkajsGuards } from './kafkajs-guards.js';
import type { ResolvedSettings, SourceLogger } from './settings.js';

/** About 15 s of retries inside kafkajs: a short broker restart keeps the membership. */
const RETRY = { initialRetryTime: 100, maxRetryTime: 2_000, retries: 10 };
const CONNECT_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 30_000;
const METADATA_MAX_AGE_MS = 60_000;

/** A kafkajs consumer whose fetch answers stay bytes, and the cluster object under it. */
export interface HookedConsumer {
  readonly consumer: Consumer;
  readonly cluster: KafkajsCluster;
}

/**
 * Makes a consumer that never restarts by itself, commits nothing by itself and resets no position.
 * kafkajs hands the consumer's own cluster object to partition assigners: that public door is how
 * the hooks get in, so nothing of kafkajs is replaced for other clients of the process.
 */
export function createHookedConsumer(
  settings: ResolvedSettings,
  hooks: ClusterHooks,
): HookedConsumer {
  applyKafkajsGuards();
  let cluster: KafkajsCluster | undefined;
  const assigner: PartitionAssigner = (config) => {
    cluster = config.cluster as unknown as KafkajsCluster;
    hookCluster(cluster, hooks);
    return PartitionAssigners.roundRobin(config);
  };
  const kafka = new Kafka({
    ...settings.kafka,
    connectionTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    retry: RETRY,
    logLevel: logLevel.INFO,
    logCreator: kafkajsLogs(settings.logger),
  });
  const consumer = kafka.consumer({
    groupId: settings.groupId,
    partitionAssigners: [assigner],
    sessionTimeout: settings.sessionTimeoutMs,
    heartbeatInterval: settings.heartbeatMs,
    rebalanceTimeout: settings.rebalanceTimeoutMs,
    maxWaitTimeInMs: settings.maxWaitMs,
    maxBytesPerPartition: settings.maxBytesPerPartition,
    maxBytes: settings.maxBytes,
    metadataMaxAge: METADATA_MAX_AGE_MS,
    allowAutoTopicCreation: false,
    readUncommitted: false,
    retry: { ...RETRY, restartOnFailure: () => Promise.resolve(false) },
  });
  if (cluster === undefined) throw new Error('kafkajs made no partition assigner');
  return { consumer, cluster };
}

/** kafkajs' errors are mostly retried; the session logs what is not. So they count as warnings. */
function kafkajsLogs(logger: SourceLogger): logCreator {
  return () =>
    ({ level, namespace, log }) => {
      const { message, ...fields } = log;
      const text = `kafkajs ${namespace}: ${message}`;
      if (level === logLevel.INFO) logger.debug(fields, text);
      else logger.warn(fields, text);
    };
}
