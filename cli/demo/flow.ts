import type { SourceItem } from '../../ingest/formats/source-item.js';
import { ClickProducer } from '../../ingest/producer.js';
import { kafkaClientOptions } from '../../runtime/kafka-options.js';
import { createKafka } from '../../runtime/kafka-client.js';
import { readLogEnds, untilCommitted } from '../../runtime/log-end.js';
import type { Progress } from '../output.js';
import { Faults } from './faults.js';
import type { Load } from './load.js';
import { line, number, seconds } from './say.js';
import type { Stage } from './stage.js';

/** How long the load flows: long enough to break things meanwhile. */
const FLOW_S = 18;
const RATE_MIN = 1_000;

interface Sent {
  readonly sent: number;
  readonly rejected: number;
}

/** Sends the load while the faults happen, and waits until all of it is committed. */
export async function streamLoad(stage: Stage, load: Load, progress: Progress): Promise<void> {
  const perSecond = Math.max(RATE_MIN, Math.round(load.records / FLOW_S));
  const faults = new Faults(stage, load.records, (text) => {
    progress.done();
    line('', text);
  });
  const startMs = performance.now();
  line('stream', `clicks flow at ${number(perSecond)}/s, and meanwhile:`);
  const breaking = faults.run();
  breaking.catch(() => undefined); // awaited below: sending may fail first
  const { sent, rejected } = await send(stage, load.items(), perSecond, (n) => {
    progress.update(`sent ${number(n)} of ${number(load.records)}`);
  });
  faults.allSent();
  await breaking;
  await allCounted(stage);
  progress.done();
  const refused = rejected > 0 ? `, ${number(rejected)} rows refused at the door` : '';
  line('', `${number(sent)} records in ${seconds(startMs)}${refused}:`);
  line('', await fates(stage));
}

/** Puts records on the log, `perSecond` of them. */
export async function send(
  stage: Stage,
  items: AsyncIterable<SourceItem>,
  perSecond: number,
  onProgress: (sent: number) => void,
): Promise<Sent> {
  const kafka = createKafka(kafkaClientOptions(stage.config));
  const producer = await ClickProducer.connect(kafka, { topic: stage.topic, compression: 'none' });
  const startMs = performance.now();
  let sent = 0;
  let rejected = 0;
  try {
    for await (const item of items) {
      if (item.kind === 'rejected') {
        rejected++;
        continue;
      }
      await producer.add(item.key, item.bytes);
      sent++;
      if (sent % 250 === 0) {
        onProgress(sent);
        const aheadMs = (sent / perSecond) * 1000 - (performance.now() - startMs);
        if (aheadMs > 0) await new Promise((resolve) => setTimeout(resolve, aheadMs));
      }
    }
    await producer.flush();
  } finally {
    await producer.close();
  }
  return { sent, rejected };
}

/** Waits until the stream has committed whatever is on the log now. */
export async function allCounted(stage: Stage): Promise<void> {
  const ends = await readLogEnds(kafkaClientOptions(stage.config), stage.config.topics);
  await untilCommitted(stage.pool, ends, { timeoutMs: 60_000 });
}

async function fates(stage: Stage): Promise<string> {
  const { rows } = await stage.pool.query<Record<string, string>>(
    `select sum(counted) as counted, sum(duplicate) as duplicate, sum(quarantined) as quarantined,
            sum(lost) as lost, sum(late) as late from flushes`,
  );
  return ['counted', 'duplicate', 'quarantined', 'late', 'lost']
    .map((fate) => `${number(Number(rows[0]![fate]))} ${fate}`)
    .join(' + ');
}
