import { makeTelemetryFilterString, Runtime } from '@temporalio/worker';
import type { Logger as SdkLogger, LogMetadata } from '@temporalio/worker';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { freePort } from '../stack/ports.js';

type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error';

/**
 * Sets the SDK's native part up, once per process and before its first connection: our log, our
 * signals (the service stops it in order), and its own metrics behind those of the registry.
 */
export async function installSdkRuntime(log: Logger): Promise<Registry> {
  const port = await freePort();
  const bindAddress = `127.0.0.1:${String(port)}`;
  Runtime.install({
    logger: asSdkLogger(log),
    shutdownSignals: [],
    telemetryOptions: {
      logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }), forward: {} },
      metrics: {
        prometheus: {
          bindAddress,
          countersTotalSuffix: true,
          unitSuffix: true,
          useSecondsForDurations: true,
        },
      },
    },
  });
  return new SdkRegistry(`http://${bindAddress}/metrics`);
}

/** Our metrics, then those of the SDK's native part (`temporal_*`). */
class SdkRegistry extends Registry {
  constructor(private readonly sdkUrl: string) {
    super();
  }

  override async metrics(): Promise<string> {
    const ours = await super.metrics();
    const answer = await fetch(this.sdkUrl, { signal: AbortSignal.timeout(2_000) });
    return `${ours}\n${await answer.text()}`;
  }
}

function asSdkLogger(log: Logger): SdkLogger {
  const write =
    (level: Level) =>
    (message: string, meta: LogMetadata = {}): void => {
      // What belongs to one activity or workflow is logged with its id, not with its whole info.
      const { workflowId, runId, activityType, taskQueue, attempt, error } = meta as Record<
        string,
        unknown
      >;
      log[level]({ workflowId, runId, activityType, taskQueue, attempt, err: error }, message);
    };
  return {
    log: (level, message, meta) => {
      write(level.toLowerCase() as Level)(message, meta);
    },
    trace: write('trace'),
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
  };
}
