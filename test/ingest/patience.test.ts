import {
  KafkaJSConnectionError,
  KafkaJSNonRetriableError,
  KafkaJSNumberOfRetriesExceeded,
  KafkaJSProtocolError,
} from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { isOutage, patiently } from '../../ingest/patience.js';

const refused = new KafkaJSConnectionError('ECONNREFUSED');

function ofProtocol(type: string, retriable: boolean): Error {
  const error = new KafkaJSProtocolError(new Error(type));
  return Object.assign(error, { type, retriable });
}

function within(cause: Error): Error {
  return Object.assign(new KafkaJSNonRetriableError(cause), { cause });
}

describe('an error of kafkajs', () => {
  it('is an outage wherever in its causes a connection failed', () => {
    expect(isOutage(refused)).toBe(true);
    expect(isOutage(within(refused))).toBe(true);
    expect(isOutage(within(within(refused)))).toBe(true);
    const given = { retryCount: 5, retryTime: 100 };
    expect(isOutage(within(new KafkaJSNumberOfRetriesExceeded(refused, given)))).toBe(true);
  });

  it('is an outage where a new producer mends it', () => {
    expect(isOutage(within(ofProtocol('OUT_OF_ORDER_SEQUENCE_NUMBER', false)))).toBe(true);
    expect(isOutage(ofProtocol('NOT_LEADER_FOR_PARTITION', true))).toBe(true);
  });

  it('is none where the broker refuses, or the program is wrong', () => {
    expect(isOutage(within(ofProtocol('MESSAGE_TOO_LARGE', false)))).toBe(false);
    expect(isOutage(within(new TypeError('no function')))).toBe(false);
    expect(isOutage(undefined)).toBe(false);
  });
});

describe('patiently', () => {
  it('tries again until it works, and says once that it waits', async () => {
    const told: string[] = [];
    let tries = 0;
    const work = (): Promise<number> =>
      ++tries < 3 ? Promise.reject(refused) : Promise.resolve(7);
    const patience = { patienceMs: 60_000, onWaiting: (why: string) => told.push(why) };
    expect(await patiently(patience, work)).toBe(7);
    expect([tries, told]).toEqual([3, ['ECONNREFUSED']]);
  });

  it('does not wait for what waiting does not mend', async () => {
    let tries = 0;
    const work = (): Promise<never> => {
      tries++;
      return Promise.reject(within(ofProtocol('MESSAGE_TOO_LARGE', false)));
    };
    await expect(patiently({ patienceMs: 60_000 }, work)).rejects.toThrow('MESSAGE_TOO_LARGE');
    expect(tries).toBe(1);
  });
});
