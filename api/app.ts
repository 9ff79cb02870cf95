import swagger from '@fastify/swagger';
import Fastify, { LogController, type FastifyBaseLogger } from 'fastify';
import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import type { Migration } from '../store/migrate.js';
import { measure } from './metrics.js';
import { sendProblem, unknownRoute } from './problem.js';
import type { VerifyCell } from './answers/explain.js';
import type { PutRuleSet } from './answers/rules-put.js';
import type { TryRules } from './answers/rules-trial.js';
import type { ReplayControl } from './replay-control.js';
import { aggregatedCountRoute } from './routes/aggregated-count.js';
import { changesRoute } from './routes/changes.js';
import { explainRoute } from './routes/explain.js';
import { healthLiveRoute } from './routes/health-live.js';
import { healthReadyRoute } from './routes/health-ready.js';
import { hoursRoute } from './routes/hours.js';
import { ledgerRoute } from './routes/ledger.js';
import { metricsRoute } from './routes/metrics.js';
import { openapiRoute } from './routes/openapi.js';
import { popularAdsRoute } from './routes/popular-ads.js';
import { reconciliationsRoute } from './routes/reconciliations.js';
import { replaysRoute } from './routes/replays.js';
import { rulesRoute } from './routes/rules.js';
import { timeseriesRoute } from './routes/timeseries.js';
import type { Api, TypeBoxProvider } from './type-provider.js';

export interface ApiParts {
  readonly pool: pg.Pool;
  /** The schema that this release reads; /health/ready compares. */
  readonly migrations: readonly Migration[];
  /** Left out: nothing is logged. */
  readonly log?: FastifyBaseLogger;
  /** Computes a cell again from the lake; left out: `verify` is refused. */
  readonly verifyCell?: VerifyCell;
  /** Starts and follows replays; left out: they are `not_ready`. */
  readonly replays?: ReplayControl;
  /** Puts rule sets in force: `pool` may only read. Left out: `POST /rules` is refused. */
  readonly putRules?: PutRuleSet;
  /** Tries rule sets, beside this process's event loop. Left out: `POST /rules/try` is refused. */
  readonly tryRules?: TryRules;
}

/** An ad_id of 1,024 bytes is 3,072 characters percent-encoded; longer ones get a clear refusal. */
const PARAM_CHARACTERS_MAX = 8 * 1024;

/** Bodies of routes that set no other limit: that of POST /replays. */
const BODY_BYTES_MAX = 8 * 1024;

/** The query service: all routes on one pool, not listening yet. The pool stays the caller's. */
export async function createApi(parts: ApiParts): Promise<Api> {
  const { pool, migrations, log, verifyCell, replays, putRules, tryRules } = parts;
  const api = Fastify({
    ...(log === undefined ? {} : { loggerInstance: log }),
    // Requests are counted in the metrics; the log is for what went wrong.
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    routerOptions: { maxParamLength: PARAM_CHARACTERS_MAX },
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: 30_000,
    // "__proto__" is a key of a map, or a field of a click, like any other; nothing is merged by it.
    onProtoPoisoning: 'ignore',
    onConstructorPoisoning: 'ignore',
    // A parameter that no schema knows is refused, not removed: a misspelt one must not be ignored.
    ajv: { customOptions: { removeAdditional: false, coerceTypes: true } },
    frameworkErrors: sendProblem,
  }).withTypeProvider<TypeBoxProvider>();

  api.setErrorHandler(sendProblem);
  api.setNotFoundHandler((request, reply) => {
    sendProblem(unknownRoute(request), request, reply);
  });
  api.addHook('onSend', async (_request, reply) => {
    reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
  });
  const registry = measure(api, pool);
  await api.register(swagger, { openapi: DOCUMENT });

  aggregatedCountRoute(api, pool);
  timeseriesRoute(api, pool);
  popularAdsRoute(api, pool);
  explainRoute(api, pool, verifyCell);
  hoursRoute(api, pool);
  rulesRoute(api, pool, { putRules, tryRules });
  reconciliationsRoute(api, pool);
  ledgerRoute(api, pool);
  changesRoute(api, pool);
  replaysRoute(api, pool, replays);
  healthLiveRoute(api);
  healthReadyRoute(api, pool, migrations);
  metricsRoute(api, registry);
  openapiRoute(api);
  await api.ready();
  return api;
}

const DOCUMENT = {
  openapi: '3.1.0',
  info: {
    title: 'truecount',
    description:
      'One click count per minute that starts provisional, becomes final, and can prove itself.',
    version: '0.1.0',
    license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
  },
};
