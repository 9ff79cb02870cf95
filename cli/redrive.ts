import type { Kafka } from 'kafkajs';
import type pg from 'pg';
import { CLICK_LIMITS } from '../core/click/click.js';
import type { Position } from '../core/position.js';
import { ClickProducer } from '../ingest/producer.js';
import { menderOf, type Mended } from '../ingest/redrive/mend.js';
import type { Mapping } from '../ingest/mapping/mapping-schema.js';
import {
  acknowledgeRedriven,
  beginRedrive,
  intendRedriven,
  type Acknowledged,
} from '../store/redrive/record.js';
import { becomeOnlyRedrive } from '../store/redrive/lock.js';
import { pageRedrivable, type Redrivable, type RedriveSelection } from '../store/redrive/select.js';

/** Records of a page; with the bound of a click's bytes it bounds memory, to 50 MiB of bytes. */
const PAGE_RECORDS = 200;
/** Rejections that are listed one by one; all are counted. */
const REJECTIONS_LISTED = 20;

/** A mapping and its text, which is what a run is known by. */
export interface RedriveMapping {
  readonly text: string;
  readonly mapping: Mapping;
}

export interface RedriveJob {
  readonly selection: RedriveSelection;
  readonly fix: RedriveMapping | undefined;
  /** Also records that were sent before. */
  readonly again: boolean;
  readonly actor: string;
  /** null: only say what would be done. */
  readonly kafka: Kafka | null;
  readonly onProgress: (looked: number) => void;
}

export interface RedriveRejection extends Position {
  readonly reason: string;
  readonly detail: string;
}

/** What became of the selected records; the four counts add up to their number. */
export interface RedriveResult {
  /** Number of the run; null: nothing was sent. */
  readonly redrive: number | null;
  /** Acknowledged by all in-sync replicas; of a plan: that would be sent. */
  readonly sent: number;
  /** Left out: an earlier run sent them. */
  readonly sentBefore: number;
  /** Left out: an earlier run with another mapping was stopped, and may have sent them. */
  readonly perhapsSent: number;
  /** Not sent, as the decoder would not take them; by reason. */
  readonly rejected: Readonly<Record<string, number>>;
  /** The first REJECTIONS_LISTED. */
  readonly rejections: readonly RedriveRejection[];
}

interface Sending {
  readonly record: Redrivable;
  readonly click: Extract<Mended, { kind: 'click' }>;
}

/**
 * Sends quarantined records to their topic again, a page at a time: what is about to be sent is
 * written down, sent (acks=all), and then where it is. Ended anywhere, it can be run again: a record
 * sent twice has the same ids, so it counts once. No two of them run at once. `client` has a session
 * of its own: with the session the run ends.
 * @throws TruecountError `conflict` while another one runs; those of Postgres and of the producer,
 * where what is acknowledged by then is recorded
 */
export async function redrive(client: pg.ClientBase, job: RedriveJob): Promise<RedriveResult> {
  const outcome = new Outcome(job);
  const producers = new Map<string, ClickProducer>();
  let run: number | null = null;
  let after = { slot: -1, offset: -1 };
  let looked = 0;
  if (job.kafka !== null) await becomeOnlyRedrive(client, job.actor);
  try {
    for (;;) {
      const page = await pageRedrivable(client, job.selection, after, {
        limit: PAGE_RECORDS,
        rawBytesMax: CLICK_LIMITS.recordBytesMax,
      });
      const last = page.at(-1);
      if (last === undefined) return outcome.result(run);
      after = { slot: last.slot, offset: last.from.offset };
      const sending = outcome.sort(page, Date.now());
      if (job.kafka !== null && sending.length > 0) {
        run ??= await beginRedrive(client, { actor: job.actor, mapping: job.fix?.text ?? null });
        await sendPage(client, run, sending, await connected(job.kafka, producers, sending));
      }
      looked += page.length;
      job.onProgress(looked);
    }
  } finally {
    for (const producer of producers.values()) await producer.close();
  }
}

/** The producers of all topics of a page. */
async function connected(
  kafka: Kafka,
  producers: Map<string, ClickProducer>,
  sending: readonly Sending[],
): Promise<ReadonlyMap<string, ClickProducer>> {
  for (const { record } of sending) {
    const { topic } = record.from;
    if (producers.has(topic)) continue;
    producers.set(topic, await ClickProducer.connect(kafka, { topic }));
  }
  return producers;
}

async function sendPage(
  client: pg.ClientBase,
  run: number,
  sending: readonly Sending[],
  producers: ReadonlyMap<string, ClickProducer>,
): Promise<void> {
  const keys = sending.map(({ record }) => ({ slot: record.slot, offset: record.from.offset }));
  await intendRedriven(client, run, keys);
  const acknowledged: Acknowledged[] = [];
  for (const [index, { record, click }] of sending.entries()) {
    const turn = producers
      .get(record.from.topic)!
      .add(Buffer.from(click.adId), click.bytes, ({ partition: toPartition, offset: toOffset }) => {
        acknowledged.push({ ...keys[index]!, toPartition, toOffset });
      });
    if (turn !== undefined) await turn;
  }
  for (const producer of producers.values()) await producer.flush();
  await acknowledgeRedriven(client, run, acknowledged);
}

/** Sorts records into those to be sent and the others, and counts. */
class Outcome {
  private sent = 0;
  private sentBefore = 0;
  private perhapsSent = 0;
  private readonly rejected: Record<string, number> = {};
  private readonly rejections: RedriveRejection[] = [];
  private readonly mend;

  constructor(private readonly job: RedriveJob) {
    this.mend = menderOf(job.fix?.mapping);
  }

  sort(page: readonly Redrivable[], nowMs: number): Sending[] {
    const sending: Sending[] = [];
    for (const record of page) {
      const { last } = record;
      if (!this.job.again && last?.acked === true) this.sentBefore++;
      else if (!this.job.again && last !== null && last.mapping !== (this.job.fix?.text ?? null)) {
        this.perhapsSent++;
      } else {
        const mended = this.mended(record, nowMs);
        if (mended.kind === 'click') sending.push({ record, click: mended });
        else this.reject(record.from, mended);
      }
    }
    this.sent += sending.length;
    return sending;
  }

  result(run: number | null): RedriveResult {
    const { sent, sentBefore, perhapsSent, rejected, rejections } = this;
    return { redrive: run, sent, sentBefore, perhapsSent, rejected, rejections };
  }

  private mended({ raw, bytes, from }: Redrivable, nowMs: number): Mended {
    if (raw !== null || bytes === null) return this.mend(raw, from, nowMs);
    const detail = `${String(bytes)} bytes, the limit is ${String(CLICK_LIMITS.recordBytesMax)}`;
    return { kind: 'rejected', reason: 'record_too_large', detail };
  }

  private reject(from: Position, { reason, detail }: Exclude<Mended, { kind: 'click' }>): void {
    this.rejected[reason] = (this.rejected[reason] ?? 0) + 1;
    if (this.rejections.length >= REJECTIONS_LISTED) return;
    this.rejections.push({ ...from, reason, detail });
  }
}
