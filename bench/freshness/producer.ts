/**
 * A process that sends clicks at a steady rate, and marker clicks among them; told what to do by
 * IPC, it reports the broker's append time of every marker.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { partitionOf } from '../../ingest/partitioner.js';
import { BatchBuilder, RawProducer } from '../support/raw-producer.js';
import { ADS, adId } from '../support/workload.js';

export interface ProducerTask {
  readonly address: string;
  readonly topic: string;
  readonly partitions: number;
  /** Clicks a second. */
  readonly rate: number;
  readonly seconds: number;
}

/** One marker click, the n-th of its ad; times in epoch ms. */
export interface Marker {
  readonly ad: string;
  readonly n: number;
  readonly appendMs: number;
}

export type ProducerMessage =
  | { readonly kind: 'marker'; readonly marker: Marker }
  | { readonly kind: 'done'; readonly sent: number; readonly seconds: number };

/** How often a batch goes to each partition, with one marker in it. */
const STEP_MS = 50;
const COUNTRIES = ['US', 'IN', 'BR', 'DE', 'GB', 'FR', 'JP', 'MX', 'CA', 'AU'];
const DEVICES = ['mobile', 'desktop', 'tablet'];

/** Ads that only markers have: one per partition, so that each partition is watched. */
export function markerAds(partitions: number): string[] {
  const ads: string[] = [];
  for (let i = 0; ads.filter(Boolean).length < partitions; i++) {
    const ad = `marker-${String(i)}`;
    ads[partitionOf(Buffer.from(ad), partitions)] ??= ad;
  }
  return ads;
}

async function produce({ address, topic, partitions, rate, seconds }: ProducerTask): Promise<void> {
  const producer = await RawProducer.connect(address);
  const markers = markerAds(partitions);
  const perStep = Math.round((rate * STEP_MS) / 1000);
  const startedMs = performance.now();
  let sent = 0;
  for (let n = 1; n * STEP_MS <= seconds * 1000; n++) {
    const builders = Array.from({ length: partitions }, () => new BatchBuilder());
    for (let i = 0; i < perStep - partitions; i++) {
      const key = Buffer.from(adId(Math.floor(ADS * Math.random() ** 3)));
      builders[partitionOf(key, partitions)]!.add(key, click(key.toString(), `${n}-${i}`));
    }
    for (const [partition, ad] of markers.entries()) {
      builders[partition]!.add(Buffer.from(ad), click(ad, `m${String(n)}`));
    }
    sent += perStep;
    const times = await producer.send(topic, new Map(builders.map((b, p) => [p, b.take()])));
    for (const [partition, ad] of markers.entries()) {
      tell({ kind: 'marker', marker: { ad, n, appendMs: times.get(partition)! } });
    }
    const aheadMs = n * STEP_MS - (performance.now() - startedMs);
    if (aheadMs > 0) await sleep(aheadMs);
  }
  producer.close();
  tell({ kind: 'done', sent, seconds: (performance.now() - startedMs) / 1000 });
}

function click(ad: string, id: string): Buffer {
  const one = <T>(values: readonly T[]): T => values[Math.floor(Math.random() * values.length)]!;
  const user = String(Math.floor(Math.random() * 200_000));
  return Buffer.from(
    `{"event_id":"${id}","ad_id":"${ad}","timestamp":${String(Date.now())},"user_id":"u${user}",` +
      `"ip":"10.1.2.3","country":"${one(COUNTRIES)}","device":"${one(DEVICES)}","ad_format":"text"}`,
  );
}

function tell(message: ProducerMessage): void {
  process.send?.(message);
}

if (process.send !== undefined) {
  process.once('message', (task) => {
    void produce(task as ProducerTask).then(() => {
      process.disconnect();
    });
  });
}
