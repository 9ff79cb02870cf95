import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Allowance, ByteBudget } from '../../collect/budget.js';
import { Unpacker } from '../../collect/unpack.js';

const KIB = 1024;

/** A body that arrives: whether it had to give way. */
function arriving(budget: ByteBudget, bytes: number) {
  const allowance = new Allowance(budget);
  const body = { allowance, gaveWay: '', over: (): void => undefined };
  body.over = allowance.arriving(({ message }) => (body.gaveWay = message));
  allowance.take(bytes);
  return body;
}

describe('the memory for requests', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('is taken from bodies that have been arriving for a second, oldest first', () => {
    const budget = new ByteBudget(100 * KIB);
    const bodies = [arriving(budget, 40 * KIB), arriving(budget, 40 * KIB)];
    vi.advanceTimersByTime(900);
    const young = arriving(budget, 20 * KIB);
    const small = new Allowance(budget);
    expect(() => {
      small.take(KIB);
    }).toThrow('the memory for requests is full');
    expect(budget.problem()).toBe('the memory for requests is full');
    vi.advanceTimersByTime(101);
    expect(budget.problem()).toBeUndefined();
    small.take(KIB);
    expect(bodies.map(({ gaveWay }) => gaveWay !== '')).toEqual([true, false]);
    expect(young.gaveWay).toBe('');
    expect(budget.held).toBe(61 * KIB);
    for (const { allowance } of [...bodies, young]) allowance.release();
    small.release();
    expect(budget.held).toBe(0);
  });

  it('is not taken from a body that has arrived, or from the one that asks', () => {
    const budget = new ByteBudget(100 * KIB);
    const whole = arriving(budget, 50 * KIB);
    whole.over();
    const own = arriving(budget, 50 * KIB);
    vi.advanceTimersByTime(10_000);
    expect(() => {
      own.allowance.take(KIB);
    }).toThrow('the memory for requests is full');
    expect([whole.gaveWay, own.gaveWay]).toEqual(['', '']);
    expect(budget.held).toBe(100 * KIB);
  });

  it('is taken from answers that nobody reads', () => {
    const budget = new ByteBudget(100 * KIB);
    let ended = false;
    const socket = Object.assign(new EventEmitter(), {
      destroyed: false,
      destroy: () => (ended = true),
    });
    budget.holdAnswer(90 * KIB, socket as unknown as Socket, new EventEmitter() as ServerResponse);
    const small = new Allowance(budget);
    expect(() => {
      small.take(20 * KIB);
    }).toThrow();
    vi.advanceTimersByTime(1_001);
    small.take(20 * KIB);
    expect([ended, budget.held]).toEqual([true, 20 * KIB]);
    socket.emit('close');
    expect(budget.held).toBe(20 * KIB);
  });
});

describe('unpacking', () => {
  const text = Buffer.from('x'.repeat(30 * KIB));
  const packed = gzipSync(text);

  it('holds no more than comes out, however many bodies wait for it', async () => {
    const budget = new ByteBudget(200 * 30 * KIB);
    const unpacker = new Unpacker();
    const work = Array.from({ length: 200 }, () =>
      unpacker.unpack(packed, 1024 * KIB, new Allowance(budget)),
    );
    for (const one of await Promise.all(work)) expect(one.equals(text)).toBe(true);
    expect(budget.held).toBe(200 * 30 * KIB);
  });

  it('goes on behind bodies that fail', async () => {
    const unpacker = new Unpacker();
    const allowance = new Allowance(new ByteBudget(1024 * KIB));
    const bad = [Buffer.from('no gzip'), Buffer.alloc(0), packed.subarray(0, -4), Buffer.alloc(9)];
    const failed = await Promise.allSettled(
      [...bad, ...bad].map((body) => unpacker.unpack(body, 1024 * KIB, allowance)),
    );
    expect(failed.map((one) => one.status === 'rejected' && (one.reason as Error).message)).toEqual(
      Array(8).fill('the body is no gzip'),
    );
    await expect(unpacker.unpack(packed, 30 * KIB - 1, allowance)).rejects.toMatchObject({
      code: 'body_too_large',
    });
    expect(await unpacker.unpack(packed, 30 * KIB, allowance)).toHaveLength(30 * KIB);
  });

  it('takes members and zeros behind them, and refuses what would be lost behind zeros', async () => {
    const unpacker = new Unpacker();
    const unpack = (...parts: Buffer[]): Promise<Buffer> =>
      unpacker.unpack(Buffer.concat(parts), 1024 * KIB, new Allowance(new ByteBudget(1024 * KIB)));
    for (const size of [1, 4_096, 300_000]) {
      const zeros = Buffer.alloc(size);
      expect(await unpack(packed, packed, zeros)).toHaveLength(60 * KIB);
      for (const behind of [packed, Buffer.from('x')]) {
        await expect(unpack(packed, zeros, behind)).rejects.toMatchObject({
          code: 'invalid_argument',
          message: expect.stringContaining('zeros between the members') as string,
        });
      }
    }
  });
});
