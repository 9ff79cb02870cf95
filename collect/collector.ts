import { isUtf8 } from 'node:buffer';
import type { FastifyRequest } from 'fastify';
import { TruecountError } from '../core/errors.js';
import { Allowance, ByteBudget } from './budget.js';
import type { AckQueue } from './ack-queue.js';
import { clientAddress, limitedClient } from './client-address.js';
import { AllowedDestinations } from './destination.js';
import { ClickJudge, type AcceptedClick, type Judged } from './judge.js';
import { LinkKeys } from './links.js';
import type { CollectMetrics } from './metrics.js';
import { RateLimit } from './rate-limit.js';
import { checkMemory, type CollectSettings } from './settings.js';
import { Unpacker } from './unpack.js';

/** What the routes of a collector share. */
export class Collector {
  readonly judge = new ClickJudge();
  readonly budget: ByteBudget;
  readonly destinations: AllowedDestinations;
  readonly keys: LinkKeys;
  readonly rate: RateLimit | undefined;
  readonly unpacker = new Unpacker();
  /** Clicks that a request may hold: more would never fit the queue, so trying again is no use. */
  readonly requestClicksMax: number;

  /** @throws TruecountError `invalid_config` for a host or key that is none, or too little memory */
  constructor(
    readonly settings: CollectSettings,
    readonly queue: AckQueue,
    readonly metrics: CollectMetrics,
  ) {
    checkMemory(settings);
    this.requestClicksMax = Math.min(settings.requestClicksMax, settings.queueClicksMax);
    this.budget = new ByteBudget(settings.queueBytesMax);
    this.destinations = new AllowedDestinations(settings.redirectHosts);
    this.keys = new LinkKeys(settings.linkKeys ?? []);
    this.rate =
      settings.rateLimitPerSecond === 0 ? undefined : new RateLimit(settings.rateLimitPerSecond);
  }

  /** Why no click is taken now; undefined where clicks are. */
  problem(): string | undefined {
    return this.queue.problem() ?? this.queue.fullness() ?? this.budget.problem();
  }

  address(request: FastifyRequest): string {
    return clientAddress(request.raw, this.settings.proxyHops);
  }

  /** @throws TruecountError `rate_limited` */
  limit(request: FastifyRequest): void {
    if (this.rate === undefined) return;
    const client = limitedClient(this.address(request));
    const retryAfterSeconds = this.rate.take(client, performance.now());
    if (retryAfterSeconds === 0) return;
    this.metrics.tell('refused', 1);
    throw new TruecountError('rate_limited', 'too many requests from this address', {
      hint: 'send several clicks in one request, or wait as Retry-After says',
      context: { retryAfterSeconds },
    });
  }

  /** Runs with an allowance of memory, which is given back when the request has been answered. */
  async holding<T>(work: (allowance: Allowance) => Promise<T>): Promise<T> {
    const allowance = new Allowance(this.budget);
    try {
      return await work(allowance);
    } finally {
      allowance.release();
    }
  }

  /**
   * Resolves when all replicas have the clicks.
   * @throws TruecountError `overloaded`, `dependency_unreachable`
   */
  async acknowledged(clicks: readonly AcceptedClick[]): Promise<void> {
    try {
      await this.queue.add(clicks);
    } catch (error) {
      const sent = error instanceof TruecountError && error.context['sent'] === true;
      this.metrics.tell(sent ? 'unacknowledged' : 'refused', clicks.length);
      throw error;
    }
    this.metrics.tell('accepted', clicks.length);
  }

  /**
   * Counts the click that a GET stands for: a link that is followed, a pixel that is shown.
   * @throws TruecountError `clicks_rejected` where it is none; `overloaded`, `dependency_unreachable`
   */
  async visit(request: FastifyRequest, click: Readonly<Record<string, unknown>>): Promise<void> {
    const { keepIp, keepUserAgent } = this.settings;
    const agent = textOf(request.headers['user-agent']);
    const value = Buffer.from(
      JSON.stringify({
        ...click,
        ...(keepIp ? { ip: this.address(request) } : {}),
        ...(keepUserAgent && agent !== undefined ? { user_agent: agent } : {}),
      }),
    );
    await this.holding(async (allowance) => {
      allowance.take(value.length);
      await this.acknowledged([this.only(this.judge.judge(value, Date.now()))]);
    });
  }

  private only(judged: Judged): AcceptedClick {
    if (judged.kind === 'click') return judged;
    this.metrics.tell('rejected', 1);
    throw new TruecountError('clicks_rejected', `this is no click: ${judged.detail}`, {
      context: { rejected: [{ index: 0, code: judged.code, detail: judged.detail }] },
    });
  }
}

const HEADER_CHARACTERS_MAX = 1024;

/** A header as text: Node reads its bytes as Latin-1, senders who have more to say write UTF-8. */
function textOf(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const bytes = Buffer.from(header, 'latin1');
  const text = isUtf8(bytes) ? bytes.toString() : header;
  // Half of a character outside the BMP is none.
  return text.slice(0, HEADER_CHARACTERS_MAX).replace(/[\ud800-\udbff]$/, '');
}

/**
 * Whether somebody only looks: a HEAD, or a browser that fetches a page in case it is wanted.
 * Neither is a click. (Chrome and Safari send Sec-Purpose, older ones Purpose or X-Moz.)
 */
export function onlyLooks(request: FastifyRequest): boolean {
  return request.method === 'HEAD' || hasPurpose(request, /prefetch|prerender|preview/i);
}

/** Whether a browser fetches this to have the answer at hand when it is wanted. */
export function looksAhead(request: FastifyRequest): boolean {
  return request.method !== 'HEAD' && hasPurpose(request, /prefetch|prerender/i);
}

function hasPurpose({ headers }: FastifyRequest, purpose: RegExp): boolean {
  return ['sec-purpose', 'purpose', 'x-purpose', 'x-moz'].some((name) =>
    purpose.test(String(headers[name] ?? '')),
  );
}
