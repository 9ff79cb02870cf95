import { pino } from 'pino';
import type { Logger } from 'pino';
import { ERROR_CODES, TruecountError } from '../core/errors.js';
import type { Config } from './config.js';
import type { RunningService } from './services.js';

/** What a service tells the supervisor that started it. */
export interface ServiceMessage {
  readonly type: 'ready';
  readonly url: string;
}

/**
 * Runs a service in this process until it fails or is told to stop (SIGTERM, SIGINT, or its
 * supervisor is gone), and returns the exit code. Stopping has a deadline: what is not flushed by
 * then is read again by the next worker. Logs are JSON lines on stderr.
 * @throws what `start` throws.
 */
export async function runToEnd(
  name: string,
  config: Config,
  start: (log: Logger) => Promise<RunningService>,
): Promise<number> {
  const log = pino({ name: `truecount-${name}`, level: config.logLevel }, pino.destination(2));
  const service = await start(log);
  log.info({ url: service.url }, `${name} runs`);
  process.send?.({ type: 'ready', url: service.url } satisfies ServiceMessage);
  const why = await Promise.race([
    service.done.then(
      () => ({ code: 0, reason: 'it ended' }),
      (error: unknown) => {
        log.error({ err: error }, `${name} failed`);
        const code = error instanceof TruecountError ? ERROR_CODES[error.code].exit : 1;
        return { code, reason: 'it failed' };
      },
    ),
    askedToStop().then((reason) => ({ code: 0, reason })),
  ]);
  log.info({ reason: why.reason }, `${name} stops`);
  const deadlineMs = config.stream.shutdownTimeoutMs;
  const inTime = await Promise.race([
    service.stop().then(
      () => true,
      (error: unknown) => {
        log.error({ err: error }, `${name} did not stop cleanly`);
        return false;
      },
    ),
    new Promise<false>((resolve) => setTimeout(resolve, deadlineMs, false).unref()),
  ]);
  if (!inTime) log.error({ deadlineMs }, `${name} ends without a clean stop`);
  return inTime ? why.code : why.code || 1;
}

function askedToStop(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.once(signal, () => {
        resolve(signal);
      });
    }
    if (process.send !== undefined) {
      process.once('disconnect', () => {
        resolve('the supervisor is gone');
      });
    }
  });
}
