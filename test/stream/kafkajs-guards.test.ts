import { createRequire } from 'node:module';
import { afterEach, expect, test, vi } from 'vitest';
import { applyKafkajsGuards } from '../../stream/kafka/kafkajs-guards.js';
import { kafkajsVersion } from '../../stream/kafka/kafkajs-version.js';

interface Queue {
  pending: unknown[];
  throttleCheckTimeoutId: unknown;
  maybeThrottle(ms: number): void;
  checkPendingRequests(): void;
  push(request: object): void;
  fulfillRequest(answer: object): void;
}

const require = createRequire(import.meta.url);
const RequestQueue = require('kafkajs/src/network/requestQueue/index.js') as {
  new (options: object): Queue;
  readonly prototype: Queue;
};

function queue(): Queue {
  const silent = (): void => undefined;
  const logger = { debug: silent, info: silent, warn: silent, error: silent };
  return new RequestQueue({ requestTimeout: 1_000, maxInFlightRequests: 1, logger });
}

function request(correlationId: number, sendRequest: () => void): object {
  const entry = { correlationId, resolve: () => undefined, reject: () => undefined };
  return { entry, expectResponse: true, sendRequest };
}

afterEach(() => {
  vi.useRealTimers();
  vi.doUnmock('../../stream/kafka/kafkajs-version.js');
  vi.resetModules();
});

test('a kafkajs of another version is refused, before anything of it is changed', async () => {
  vi.resetModules();
  vi.doMock('../../stream/kafka/kafkajs-version.js', () => ({ kafkajsVersion: () => '2.2.5' }));
  const guards = await import('../../stream/kafka/kafkajs-guards.js');
  const before = Object.entries(Object.getOwnPropertyDescriptors(RequestQueue.prototype));
  expect(() => {
    guards.applyKafkajsGuards();
  }).toThrow('fits kafkajs 2.2.4: version 2.2.5 is installed');
  expect(Object.entries(Object.getOwnPropertyDescriptors(RequestQueue.prototype))).toEqual(before);
});

test('the version is that of the package', () => {
  const { version } = require('kafkajs/package.json') as { version: string };
  expect(kafkajsVersion()).toBe(version);
});

test('no timer is armed while no request waits', () => {
  applyKafkajsGuards();
  const idle = queue();
  idle.checkPendingRequests();
  expect(idle.throttleCheckTimeoutId).toBeNull();
});

test('a request that waits for a throttled broker is sent when the throttle ends', () => {
  applyKafkajsGuards();
  vi.useFakeTimers();
  const throttled = queue();
  throttled.maybeThrottle(300);
  const send = vi.fn();
  throttled.push(request(1, send));
  vi.advanceTimersByTime(290);
  expect(send).not.toHaveBeenCalled();
  vi.advanceTimersByTime(20);
  expect(send).toHaveBeenCalledTimes(1);
  expect(throttled.throttleCheckTimeoutId).toBeNull();
});

test('a request behind a full connection is sent when the one before is answered', () => {
  applyKafkajsGuards();
  const full = queue();
  const second = vi.fn();
  full.push(request(1, () => undefined));
  full.push(request(2, second));
  expect(second).not.toHaveBeenCalled();
  full.fulfillRequest({ correlationId: 1, payload: null, size: 0 });
  expect(second).toHaveBeenCalledTimes(1);
});
