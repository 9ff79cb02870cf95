import type { Registry } from 'prom-client';
import type { Config } from './config.js';
import { startMetricsServer } from './metrics-server.js';
import type { RunningService } from './services.js';

/** A service as its own folder starts it. */
interface StartedService {
  readonly done: Promise<void>;
  /** Why it cannot do its work now. */
  problem(): string | undefined;
  stop(): Promise<void>;
}

/** The service with its /metrics and /health; a service that failed for good is not ready, either. */
export async function observed(
  service: StartedService,
  config: Config,
  registry: Registry,
): Promise<RunningService> {
  let failure: string | undefined;
  service.done.catch((error: unknown) => {
    failure = String(error);
  });
  const metrics = await startMetricsServer({
    ...config.metrics,
    registry,
    ready: () => failure ?? service.problem(),
  });
  return {
    url: metrics.url,
    done: service.done,
    async stop() {
      await service.stop();
      await metrics.close();
    },
  };
}
