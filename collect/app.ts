import { randomBytes } from 'node:crypto';
import swagger from '@fastify/swagger';
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import { TruecountError } from '../core/errors.js';
import type { Collector } from './collector.js';
import { Connections } from './connections.js';
import { allowOrigins } from './cors.js';
import { ALWAYS, sendProblem, unknownRoute } from './problem.js';
import { clicksRoute } from './routes/clicks.js';
import { operationsRoutes } from './routes/operations.js';
import { pixelRoute } from './routes/pixel.js';
import { redirectRoute } from './routes/redirect.js';

/** An ad_id of 1,024 bytes is 3,072 characters percent-encoded; longer ones get a clear refusal. */
const PARAM_CHARACTERS_MAX = 8 * 1024;
const HEADER_BYTES_MAX = 16 * 1024;
/** Longer than the idle timeouts of the usual proxies: they close first, and no request is lost. */
const KEEP_ALIVE_MS = 75_000;
/** A connection on which nothing moves, while a request is answered, is ended. */
const STILL_MS = 60_000;
/** Characters of an answer that are not worth being counted. */
const SMALL_ANSWER = 4 * 1024;
/** How often connections are looked at that send too slowly. */
const CHECK_CONNECTIONS_MS = 1_000;

/** The collector's HTTP server, not listening yet. */
export async function createCollectApp(
  collector: Collector,
  log?: FastifyBaseLogger,
): Promise<FastifyInstance> {
  const { requestTimeoutMs, connectionsMax, corsOrigins } = collector.settings;
  const connections = new Connections();
  const app = Fastify({
    ...(log === undefined ? {} : { loggerInstance: log }),
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: requestNames(),
    routerOptions: {
      maxParamLength: PARAM_CHARACTERS_MAX,
      // Queries are read by query.ts, which is strict about them.
      querystringParser: () => ({}),
    },
    http: {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: Math.min(requestTimeoutMs, 5_000),
      connectionsCheckingInterval: CHECK_CONNECTIONS_MS,
      // It is required below: Node's own answer has no code.
      requireHostHeader: false,
    },
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionTimeout: STILL_MS,
    // Who is connected is still answered while the collector stops.
    return503OnClosing: false,
    clientErrorHandler: (error, socket) => {
      connections.refuse(error, socket);
    },
    frameworkErrors: sendProblem,
  });
  connections.watch(app.server);
  app.server.maxConnections = connectionsMax;
  // What nobody here understands is left aside, as RFC 9110 allows; Node's own 417 has no code.
  app.server.on('checkExpectation', (request, response) => {
    app.server.emit('request', request, response);
  });
  app.setErrorHandler(sendProblem);
  app.setNotFoundHandler((request, reply) => {
    sendProblem(unknownRoute(request), request, reply);
  });
  // Schemas document only, and bodies are read as bytes.
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => {
    done(null);
  });
  collector.metrics.measure(app);
  allowOrigins(app, corsOrigins);
  app.addHook('onRequest', ({ raw }, reply, done) => {
    void reply.headers(ALWAYS);
    done(raw.httpVersion === '1.1' && raw.headers.host === undefined ? noHost() : undefined);
  });
  await app.register(swagger, { openapi: DOCUMENT });
  await app.register(async (limited) => {
    limited.addHook('onRequest', (request, _reply, done) => {
      collector.limit(request);
      done();
    });
    limited.addHook('onSend', (request, reply, payload, done) => {
      if (typeof payload === 'string' && payload.length > SMALL_ANSWER) {
        collector.budget.holdAnswer(Buffer.byteLength(payload), request.raw.socket, reply.raw);
      }
      done();
    });
    clicksRoute(limited, collector);
    redirectRoute(limited, collector);
    pixelRoute(limited, collector);
  });
  operationsRoutes(app, collector);
  await app.ready();
  return app;
}

function noHost(): TruecountError {
  return new TruecountError('invalid_argument', 'the request has no Host header');
}

/** Names for requests, unique over processes: a random prefix and a number. */
function requestNames(): () => string {
  const prefix = randomBytes(6).toString('base64url');
  let last = 0;
  return () => `${prefix}-${String(++last)}`;
}

const DOCUMENT = {
  openapi: '3.1.0',
  info: {
    title: 'truecount collector',
    description: 'Takes clicks over HTTP and answers when all replicas of the log have them.',
    version: '0.1.0',
    license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
  },
} as const;
