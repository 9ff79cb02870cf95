import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';

/** What a scrape asks the tail. */
export interface TailGauges {
  /** Of each file: bytes that were not acknowledged yet, and since when (ms since 1970). */
  files(): readonly {
    readonly path: string;
    readonly bytes: number;
    readonly sinceMs: number | undefined;
  }[];
  openFiles(): number;
  /** Files that are set aside until somebody mends what they are read with. */
  setAside(): number;
  outage(): boolean;
  nowMs(): number;
}

/** The tail's metrics. Labels are bounded: files that are followed, kinds of reasons. */
export function createTailMetrics(registry: Registry, gauges: TailGauges) {
  const registers = [registry];
  const age = (sinceMs: number | undefined): number =>
    sinceMs === undefined ? 0 : Math.max(0, gauges.nowMs() - sinceMs) / 1000;
  new Gauge({
    name: 'truecount_tail_lag_bytes',
    help: 'Bytes of a file that Kafka has not acknowledged yet (of a gz file: compressed)',
    labelNames: ['file'],
    registers,
    collect() {
      this.reset();
      for (const { path, bytes } of gauges.files()) this.set({ file: path }, bytes);
    },
  });
  new Gauge({
    name: 'truecount_tail_oldest_unread_seconds',
    help: 'For how long the oldest of these bytes have been waiting, over all files',
    registers,
    collect() {
      this.set(Math.max(0, ...gauges.files().map(({ sinceMs }) => age(sinceMs))));
    },
  });
  gauge('truecount_tail_open_files', 'Files held open', () => gauges.openFiles());
  gauge('truecount_tail_set_aside_files', 'Files that cannot be read; an alarm', () =>
    gauges.setAside(),
  );
  gauge('truecount_tail_outage', '1 while Kafka is away, so that nothing is read', () =>
    gauges.outage() ? 1 : 0,
  );
  return {
    lines: counter('truecount_tail_lines_total', 'Lines read and acknowledged'),
    sent: counter('truecount_tail_sent_total', 'Records that Kafka has acknowledged'),
    rejected: new Counter({
      name: 'truecount_tail_rejected_total',
      help: 'Lines that became no click, by kind of reason',
      labelNames: ['reason'],
      registers,
    }),
    outages: counter('truecount_tail_outages_total', 'Times that Kafka went away'),
  };

  function gauge(name: string, help: string, value: () => number): void {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  }

  function counter(name: string, help: string): Counter {
    return new Counter({ name, help, registers });
  }
}

export type TailMetrics = ReturnType<typeof createTailMetrics>;

const KINDS_MAX = 40;

/**
 * The kind of a reason: its words without the values of the line. Beyond so many kinds the rest is
 * `other`: labels are bounded whatever a log holds.
 */
export class ReasonKinds {
  private readonly kinds = new Set<string>();

  of(reason: string): string {
    const kind = reason.split(/[:("]/)[0]!.replaceAll(/\d+/g, 'N').trim().slice(0, 80);
    if (!this.kinds.has(kind) && this.kinds.size >= KINDS_MAX) return 'other';
    this.kinds.add(kind);
    return kind;
  }
}
