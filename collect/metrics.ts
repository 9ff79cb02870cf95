import type { FastifyInstance } from 'fastify';
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { AckQueue } from './ack-queue.js';
import type { ByteBudget } from './budget.js';

/** Buckets in seconds: a batch is acknowledged in a few ms, or the broker is in trouble. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * What becomes of clicks: `accepted` are acknowledged, `rejected` are no clicks, `refused` were not
 * sent (pressure, outage, rate), `unacknowledged` may be on the log, `uncounted` are redirects and
 * pixels that somebody only looked at (HEAD, prefetch).
 */
export type Fate = 'accepted' | 'rejected' | 'refused' | 'unacknowledged' | 'uncounted';

/** Metrics of one collector. What is told here is kept in plain numbers until somebody asks. */
export class CollectMetrics {
  readonly registry = new Registry();
  private readonly fates: Counter;
  private readonly ack: Histogram;
  private readonly batch: Histogram;
  private readonly outages: Counter;
  private readonly outageSeconds: Counter;

  constructor() {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    this.fates = new Counter({
      name: 'truecount_collect_clicks_total',
      help: 'Clicks that came over HTTP by what became of them',
      labelNames: ['fate'],
      registers,
    });
    this.ack = new Histogram({
      name: 'truecount_collect_ack_seconds',
      help: 'Time from the sending of a batch to the acknowledgement of all replicas',
      buckets: BUCKETS,
      registers,
    });
    this.batch = new Histogram({
      name: 'truecount_collect_batch_clicks',
      help: 'Clicks in an acknowledged batch',
      buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000],
      registers,
    });
    this.outages = new Counter({
      name: 'truecount_collect_outages_total',
      help: 'Times that Kafka did not acknowledge for 2 s, or half of collect.ackTimeoutMs',
      registers,
    });
    this.outageSeconds = new Counter({
      name: 'truecount_collect_outage_seconds_total',
      help: 'How long these outages were in all, counted when they end',
      registers,
    });
  }

  tell(fate: Fate, clicks: number): void {
    this.fates.inc({ fate }, clicks);
  }

  acked(clicks: number, tookMs: number): void {
    this.ack.observe(tookMs / 1000);
    this.batch.observe(clicks);
  }

  outage(tookMs: number): void {
    this.outages.inc();
    this.outageSeconds.inc(tookMs / 1000);
  }

  /** Gauges that are read when they are asked for. */
  watch(queue: AckQueue, budget: ByteBudget, rateClients: () => number): void {
    const registers = [this.registry];
    new Gauge({
      name: 'truecount_collect_queue_clicks',
      help: 'Clicks that wait to be sent to Kafka',
      registers,
      collect() {
        this.set(queue.clicks);
      },
    });
    new Gauge({
      name: 'truecount_collect_held_bytes',
      help: 'Bytes of requests that are not answered yet',
      registers,
      collect() {
        this.set(budget.held);
      },
    });
    new Gauge({
      name: 'truecount_collect_away',
      help: '1 while clicks are refused because Kafka is away',
      registers,
      collect() {
        this.set(queue.problem() === undefined ? 0 : 1);
      },
    });
    new Gauge({
      name: 'truecount_collect_rate_clients',
      help: 'Client addresses that the rate limit remembers',
      registers,
      collect() {
        this.set(rateClients());
      },
    });
  }

  /** Counts the requests of a server, by route and status. */
  measure(app: FastifyInstance): void {
    const duration = new Histogram({
      name: 'truecount_collect_request_seconds',
      help: 'Time from the request to the end of the answer',
      labelNames: ['route', 'status'],
      buckets: BUCKETS,
      registers: [this.registry],
    });
    // Labels are looked up once for each pair of them: it is done for every request.
    const children = new Map<string, Histogram.Internal<'route' | 'status'>>();
    app.addHook('onResponse', (request, reply, done) => {
      const route = request.routeOptions.url ?? 'none';
      const status = String(reply.statusCode);
      const key = status + route;
      let child = children.get(key);
      if (child === undefined) {
        child = duration.labels({ route, status });
        children.set(key, child);
      }
      child.observe(reply.elapsedTime / 1000);
      done();
    });
  }
}
