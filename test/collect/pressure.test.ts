import { describe, expect, it } from 'vitest';
import { AckQueue } from '../../collect/ack-queue.js';
import type { ClickSink } from '../../collect/broker-link.js';
import { clientAddress, limitedClient } from '../../collect/client-address.js';
import type { AcceptedClick } from '../../collect/judge.js';
import { RateLimit } from '../../collect/rate-limit.js';
import { until } from '../support/until.js';

/** A sink whose batches end when the test says so. */
class HeldSink implements ClickSink {
  readonly batches: { clicks: readonly AcceptedClick[]; end: (error?: Error) => void }[] = [];
  why: string | undefined;

  problem(): string | undefined {
    return this.why;
  }

  ready(): Promise<void> {
    return Promise.resolve();
  }

  send(clicks: readonly AcceptedClick[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (error?: Error): void => {
        if (error === undefined) resolve();
        else reject(error);
      };
      this.batches.push({ clicks, end });
    });
  }
}

function clicks(count: number, bytes = 10): AcceptedClick[] {
  return Array.from({ length: count }, (_, i) => ({
    kind: 'click',
    key: Buffer.from(`ad${String(i)}`),
    value: Buffer.alloc(bytes),
  }));
}

function queueOf(
  sink: ClickSink,
  more: { clicksMax?: number; ackTimeoutMs?: number } = {},
): AckQueue {
  return new AckQueue(sink, {
    clicksMax: 5_000,
    lingerMs: 0,
    ackTimeoutMs: 60_000,
    onAcked: () => undefined,
    onOutage: () => undefined,
    ...more,
  });
}

/** How a promise stands: `waits`, `ok`, or the code that it failed with. */
function stateOf(promise: Promise<void>): () => string {
  let state = 'waits';
  promise.then(
    () => (state = 'ok'),
    (error: unknown) => (state = String((error as { code: unknown }).code)),
  );
  return () => state;
}

describe('the queue of acknowledgements', () => {
  it('sends what comes while a batch is in flight as the next one, in order', async () => {
    const sink = new HeldSink();
    const queue = queueOf(sink);
    const first = stateOf(queue.add(clicks(1)));
    await until('the first is in flight', () => sink.batches.length === 1);
    const others = [stateOf(queue.add(clicks(2))), stateOf(queue.add(clicks(3)))];
    expect(sink.batches).toHaveLength(1);
    sink.batches[0]!.end();
    await until('the others are in flight', () => sink.batches.length === 2);
    expect([first(), ...others.map((state) => state())]).toEqual(['ok', 'waits', 'waits']);
    expect(sink.batches[1]!.clicks).toHaveLength(5);
    sink.batches[1]!.end();
    await until('all are acknowledged', () => others.every((state) => state() === 'ok'));
    queue.close();
  });

  it('acknowledges a request whose clicks are in two batches after the second', async () => {
    const sink = new HeldSink();
    const queue = queueOf(sink);
    const large = stateOf(queue.add(clicks(2_500)));
    await until('a batch is in flight', () => sink.batches.length === 1);
    expect(sink.batches[0]!.clicks).toHaveLength(2_000);
    sink.batches[0]!.end();
    await until('the rest is in flight', () => sink.batches.length === 2);
    expect(large()).toBe('waits');
    sink.batches[1]!.end();
    await until('it is acknowledged', () => large() === 'ok');
    queue.close();
  });

  it('fails only the requests of a batch that failed, and goes on', async () => {
    const sink = new HeldSink();
    const queue = queueOf(sink);
    const failed = stateOf(queue.add(clicks(1)));
    await until('it is in flight', () => sink.batches.length === 1);
    const next = stateOf(queue.add(clicks(1)));
    sink.batches[0]!.end(new Error('broken'));
    await until('the next is in flight', () => sink.batches.length === 2);
    sink.batches[1]!.end();
    await until('it is acknowledged', () => next() === 'ok');
    expect(failed()).toBe('dependency_unreachable');
    queue.close();
  });

  it('takes all of a request or nothing of it, up to its bound', async () => {
    const sink = new HeldSink();
    const queue = queueOf(sink, { clicksMax: 10 });
    const first = stateOf(queue.add(clicks(1)));
    await until('one is in flight', () => sink.batches.length === 1);
    const fits = stateOf(queue.add(clicks(8)));
    const tooMany = stateOf(queue.add(clicks(3)));
    const fitsToo = stateOf(queue.add(clicks(2)));
    await until('one is refused', () => tooMany() === 'overloaded');
    expect(queue.clicks).toBe(10);
    expect(queue.fullness()).toBe('too many clicks wait to be acknowledged');
    sink.batches[0]!.end();
    await until('the rest is in flight', () => sink.batches.length === 2);
    sink.batches[1]!.end();
    await until('it is acknowledged', () => fitsToo() === 'ok');
    expect([first(), fits(), sink.batches[1]!.clicks.length]).toEqual(['ok', 'ok', 10]);
    expect(queue.fullness()).toBeUndefined();
    queue.close();
  });

  it('does not send what nobody waits for any more', async () => {
    const sink = new HeldSink();
    const queue = queueOf(sink, { ackTimeoutMs: 1_000 });
    const sent = stateOf(queue.add(clicks(1)));
    await until('it is in flight', () => sink.batches.length === 1);
    const waiting = stateOf(queue.add(clicks(1)));
    await until('both have waited too long', () =>
      [sent(), waiting()].every((state) => state === 'dependency_unreachable'),
    );
    expect(queue.clicks).toBe(0);
    sink.batches[0]!.end();
    await until('clicks are taken again', () => queue.problem() === undefined);
    const later = stateOf(queue.add(clicks(1)));
    await until('what comes later is in flight', () => sink.batches.length === 2);
    expect(sink.batches[1]!.clicks).toHaveLength(1);
    sink.batches[1]!.end();
    await until('and acknowledged', () => later() === 'ok');
    queue.close();
  });

  it('refuses at once while a batch takes too long, or the broker is known to be away', async () => {
    const sink = new HeldSink();
    const queue = queueOf(sink);
    const stuck = stateOf(queue.add(clicks(1)));
    await until('the queue has noticed', () => queue.problem() !== undefined);
    await expect(queue.add(clicks(1))).rejects.toMatchObject({
      code: 'dependency_unreachable',
      context: { sent: false },
    });
    sink.batches[0]!.end();
    await until('it goes on', () => stuck() === 'ok');
    sink.why = 'away';
    await expect(queue.add(clicks(1))).rejects.toMatchObject({ code: 'dependency_unreachable' });
    queue.close();
  });
});

describe('the rate limit', () => {
  it('lets a burst of a second through, then the rate', () => {
    const limit = new RateLimit(10);
    const taken = (atMs: number, times: number): number[] =>
      Array.from({ length: times }, () => limit.take('a', atMs));
    expect(taken(0, 12)).toEqual([...Array<number>(10).fill(0), 1, 1]);
    expect(taken(100, 2)).toEqual([0, 1]);
    expect(taken(1_000, 10)).toEqual([...Array<number>(9).fill(0), 1]);
    expect(limit.take('b', 1_000)).toBe(0);
  });

  it('remembers so many clients and no more, those seen last', () => {
    const limit = new RateLimit(1, 100);
    for (let i = 0; i < 1_000; i++) limit.take(`client ${String(i)}`, 0);
    expect(limit.clients).toBe(100);
    expect(limit.take('client 999', 0)).toBe(1);
    expect(limit.take('client 0', 0)).toBe(0);
  });
});

describe('the address of a client', () => {
  const request = (forwarded?: string, peer = '10.0.0.9') =>
    ({
      socket: { remoteAddress: peer },
      headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded },
    }) as unknown as Parameters<typeof clientAddress>[0];

  it.each([
    [0, '1.1.1.1', '10.0.0.9'],
    [1, '6.6.6.6, 1.1.1.1', '1.1.1.1'],
    [2, '6.6.6.6, 1.1.1.1,2.2.2.2', '1.1.1.1'],
    [2, '1.1.1.1', '10.0.0.9'],
    [1, 'nonsense', '10.0.0.9'],
    [1, undefined, '10.0.0.9'],
    [1, '2001:db8::1', '2001:db8::1'],
  ])('behind %d proxies with %s is %s', (hops, forwarded, address) => {
    expect(clientAddress(request(forwarded), hops)).toBe(address);
  });

  it('is IPv4 where it came so over an IPv6 socket', () => {
    expect(clientAddress(request(undefined, '::ffff:1.2.3.4'), 0)).toBe('1.2.3.4');
  });

  it.each([
    ['1.2.3.4', '1.2.3.4'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
  ])('%s is limited as %s', (address, client) => {
    expect(limitedClient(address)).toBe(client);
  });
});
