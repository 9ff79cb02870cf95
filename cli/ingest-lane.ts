import { patiently } from '../ingest/patience.js';
import { ClickProducer } from '../ingest/producer.js';
import type { Config } from '../runtime/config.js';
import { kafkaClientOptions } from '../runtime/kafka-options.js';
import { createKafka } from '../runtime/kafka-client.js';
import type { FormatOptions } from './format-options.js';
import { destinationOf } from './ingest-destination.js';
import { FileIngest } from './ingest-file.js';
import type { FileProgress, FileResult } from './ingest-file.js';

export interface LaneOptions extends FormatOptions {
  readonly topic: string;
  readonly compression: 'none' | 'gzip';
  readonly restart?: boolean | undefined;
}

/** What a lane says while it sends. */
export interface LaneEvents {
  readonly progress: (path: string, progress: FileProgress) => void;
  readonly tell: (words: string) => void;
}

/** Sends files, one after the other, by a connection of its own. */
export interface Lane {
  /** @throws TruecountError as `FileIngest.send` does; the lane can be closed then, no more. */
  send(path: string): Promise<FileResult>;
  close(): Promise<void>;
}

const PROGRESS_EVERY_RECORDS = 1_024;

/** Long enough for a broker to restart; an ingest that gives up goes on where it was, later. */
const PATIENCE_MS = 90_000;

/** @throws TruecountError `dependency_unreachable`, `not_found` without the topic. */
export async function openLane(
  config: Config,
  options: LaneOptions,
  events: LaneEvents,
): Promise<Lane> {
  const { topic, compression } = options;
  const kafka = kafkaClientOptions(config);
  const patience = {
    patienceMs: PATIENCE_MS,
    onWaiting: (why: string) => {
      const seconds = String(PATIENCE_MS / 1_000);
      events.tell(`Kafka is away (${why}): waiting for it up to ${seconds} s`);
    },
  };
  const producer = await ClickProducer.connect(createKafka(kafka), {
    topic,
    compression,
    ...patience,
  });
  const told = new Set<string>();
  const tell = (words: string): void => {
    if (told.has(words)) return;
    told.add(words);
    events.tell(words);
  };
  let calls = 0;
  return {
    send: async (path) => {
      const file = new FileIngest(path, options);
      const destination = await patiently(patience, () => destinationOf(kafka, topic));
      const onProgress = (): void => {
        calls += 1;
        if (calls % PROGRESS_EVERY_RECORDS === 0) events.progress(path, file.progress());
      };
      const result = await file.send(producer, destination, config.home, tell, onProgress);
      events.progress(path, file.progress());
      return result;
    },
    close: () => producer.close(),
  };
}
