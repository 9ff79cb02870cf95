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
export function createTailMetrics(registry: Registry, asked: TailGauges) {
  const registers = [registry];
  registerGauges(registers, asked);
  return {
    lines: new Counter({
      name: 'truecount_tail_lines_total',
      help: 'Lines that were read and are acknowledged',
      registers,
    }),
    sent: new Counter({
      name: 'truecount_tail_sent_total',
      help: 'Records that Kafka has acknowledged',
      registers,
    }),
    rejected: new Counter({
      name: 'truecount_tail_rejected_total',
      help: 'Lines that became no click, by kind of reason',
      labelNames: ['reason'],
      registers,
    }),
    outages: new Counter({
      name: 'truecount_tail_outages_total',
      help: 'Times that Kafka went away',
      registers,
    }),
  };
}

export type TailMetrics = ReturnType<typeof createTailMetrics>;

function registerGauges(registers: Registry[], asked: TailGauges): void {
  new Gauge({
    name: 'truecount_tail_lag_bytes',
    help: 'Bytes of a file that Kafka has not acknowledged yet (of a gz file: compressed)',
    labelNames: ['file'],
    registers,
    collect() {
      this.reset();
      for (const { path, bytes } of asked.files()) this.set({ file: path }, bytes);
    },
  });
  new Gauge({
    name: 'truecount_tail_oldest_unread_seconds',
    help: 'How long the oldest of these bytes have been waiting, over all files',
    registers,
    collect() {
      const since = asked.files().map(({ sinceMs }) => sinceMs ?? asked.nowMs());
      this.set(Math.max(0, asked.nowMs() - Math.min(...since, asked.nowMs())) / 1000);
    },
  });
  new Gauge({
    name: 'truecount_tail_open_files',
    help: 'Files held open',
    registers,
    collect() {
      this.set(asked.openFiles());
    },
  });
  new Gauge({
    name: 'truecount_tail_set_aside_files',
    help: 'Files that cannot be read before somebody mends something; an alarm',
    registers,
    collect() {
      this.set(asked.setAside());
    },
  });
  new Gauge({
    name: 'truecount_tail_outage',
    help: '1 while Kafka is away, so that nothing is read',
    registers,
    collect() {
      this.set(asked.outage() ? 1 : 0);
    },
  });
}

const KINDS_MAX = 40;

/**
 * The kind of a reason: its words without the values of the line. Beyond so many kinds the rest is
 * `other`: labels are bounded whatever a log holds.
 */
export class ReasonKinds {
  private readonly kinds = new Set<string>();

  of(reason: string): string {
    const words = reason.split(/[:("]/)[0]!.replaceAll(/\d+/g, 'N');
    const kind = words.trim().slice(0, 80);
    if (!this.kinds.has(kind) && this.kinds.size >= KINDS_MAX) return 'other';
    this.kinds.add(kind);
    return kind;
  }
}
