import { ClickProducer } from '../ingest/producer.js';
import type { Config } from '../runtime/config.js';
import { kafkaClientOptions } from '../runtime/connections.js';
import { createKafka } from '../runtime/kafka-client.js';
import type { FormatOptions } from './format-options.js';
import { FileIngest, destinationOf } from './ingest-file.js';
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

/** @throws TruecountError `dependency_unreachable`, `not_found` without the topic. */
export async function openLane(
  config: Config,
  options: LaneOptions,
  events: LaneEvents,
): Promise<Lane> {
  const { topic, compression } = options;
  const kafka = createKafka(kafkaClientOptions(config));
  const producer = await ClickProducer.connect(kafka, { topic, compression });
  let calls = 0;
  return {
    send: async (path) => {
      const file = new FileIngest(path, options);
      const destination = await destinationOf(kafka, topic);
      const onProgress = (): void => {
        calls += 1;
        if (calls % PROGRESS_EVERY_RECORDS === 0) events.progress(path, file.progress());
      };
      const result = await file.send(producer, destination, config.home, events.tell, onProgress);
      events.progress(path, file.progress());
      return result;
    },
    close: () => producer.close(),
  };
}
