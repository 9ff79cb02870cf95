import Type, { type Static, type TSchema } from 'typebox';

/**
 * Every setting: its type, default and meaning. The same tree is `truecount.yaml`; the environment
 * name of a setting is its path in capitals (`stream.flushIntervalMs` is
 * `TRUECOUNT_STREAM_FLUSH_INTERVAL_MS`). Units are last in the name. `secret` values are masked
 * wherever settings are shown, and can be read from a file named by the name plus `_FILE`.
 */
const ms = (description: string, fallback: number, minimum = 0) =>
  Type.Integer({ description, default: fallback, minimum, maximum: Number.MAX_SAFE_INTEGER });
/** A duration that a timer of Node waits for: beyond 2^31 - 1 ms (24.8 days) it would fire at once. */
const timerMs = (description: string, fallback: number, minimum: number) =>
  Type.Integer({ description, default: fallback, minimum, maximum: 2 ** 31 - 1 });
const count = (description: string, fallback: number, minimum = 1) =>
  Type.Integer({ description, default: fallback, minimum, maximum: Number.MAX_SAFE_INTEGER });
const port = (description: string, fallback: number) =>
  Type.Integer({ description, default: fallback, minimum: 0, maximum: 65_535 });
const text = (description: string, fallback: string) =>
  Type.String({ description, default: fallback, minLength: 1 });
const absent = (description: string, options: { secret?: boolean } = {}) =>
  Type.Optional(Type.String({ description, minLength: 1, ...options }));

const HOUR_MS = 3_600_000;

export const ConfigSchema = Type.Object({
  home: text('folder of the embedded stack: data, logs, addresses', '.truecount'),
  logLevel: Type.Union(
    [
      Type.Literal('debug'),
      Type.Literal('info'),
      Type.Literal('warn'),
      Type.Literal('error'),
      Type.Literal('silent'),
    ],
    {
      description: 'least severity that services log: debug, info, warn, error, silent',
      default: 'info',
    },
  ),
  postgresUrl: absent('postgres://user:password@host:port/database, with sslmode= and the like', {
    secret: true,
  }),
  postgresPoolSize: count('connections that one process opens at most', 10),
  kafka: Type.Object({
    brokers: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        description: 'host:port of the brokers to begin with',
        minItems: 1,
      }),
    ),
    clientId: text('name shown in the brokers’ logs and quotas', 'truecount'),
    tls: Type.Object({
      enabled: Type.Boolean({ description: 'speak TLS to the brokers', default: false }),
      caFile: absent('PEM of the authorities to trust instead of the system’s'),
      certFile: absent('PEM of the client certificate (mutual TLS)'),
      keyFile: absent('PEM of the client key (mutual TLS)'),
      servername: absent('name to expect in the brokers’ certificates, if not the host name'),
    }),
    sasl: Type.Object({
      mechanism: Type.Optional(
        Type.Union(
          [Type.Literal('plain'), Type.Literal('scram-sha-256'), Type.Literal('scram-sha-512')],
          { description: 'plain, scram-sha-256 or scram-sha-512; absent: no SASL' },
        ),
      ),
      username: absent('SASL user'),
      password: absent('SASL password', { secret: true }),
    }),
  }),
  topics: Type.Array(Type.String({ minLength: 1, pattern: '^[a-zA-Z0-9._-]{1,249}$' }), {
    description: 'topics of raw clicks; together they are one log',
    default: ['clicks'],
    minItems: 1,
  }),
  partitions: count('partitions of a topic that is created', 4),
  topicRetentionMs: ms('how long a topic that is created keeps clicks', 7 * 24 * HOUR_MS, 60_000),
  topicReplication: Type.Integer({
    description: 'replicas of a topic that is created; -1 leaves it to the broker',
    default: -1,
    minimum: -1,
    maximum: 32_767,
  }),
  groupId: text('consumer group of the stream', 'truecount-stream'),
  temporalAddress: absent('host:port of the Temporal frontend'),
  lakeUrl: absent('folder of the lake; absent: lake/ under home'),
  rulesFile: absent(
    'first rule set (YAML or JSON); absent: the built-in one; later ones: truecount rules put',
  ),
  api: Type.Object({
    host: text('address that the API binds to', '127.0.0.1'),
    port: port('port of the API; 0 takes a free one', 8180),
  }),
  metrics: Type.Object({
    host: text('address of /metrics and /health of the services', '127.0.0.1'),
    port: port('port of /metrics and /health of a service; 0 takes a free one', 0),
  }),
  collect: Type.Object({
    host: text('address that the collector binds to', '127.0.0.1'),
    port: port('port of the collector; 0 takes a free one', 8280),
    bodyBytesMax: count('bytes of a body at most, as it came and unpacked', 1024 * 1024, 1024),
    requestClicksMax: count('clicks in one request at most', 10_000),
    queueClicksMax: count('clicks that wait for Kafka at most; more are refused', 100_000),
    queueBytesMax: count(
      'bytes of requests in memory at most, at least twice bodyBytesMax',
      64 * 1024 * 1024,
      1024 * 1024,
    ),
    lingerMs: Type.Integer({
      description: 'how long the first click of a batch waits for others',
      default: 5,
      minimum: 0,
      maximum: 1_000,
    }),
    ackTimeoutMs: timerMs('a request that Kafka has not acknowledged by then gets 503', 5_000, 1),
    connectionsMax: count('connections at most; more are closed at once', 10_000),
    requestTimeoutMs: timerMs('time that a request may take to arrive', 10_000, 1_000),
    rateLimitPerSecond: count('requests a second of one client address; 0: no limit', 0, 0),
    proxyHops: Type.Integer({
      description: 'own proxies in front, whose X-Forwarded-For is believed; 0: none',
      default: 0,
      minimum: 0,
      maximum: 16,
    }),
    corsOrigins: Type.Array(Type.String({ minLength: 1 }), {
      description: 'origins of pages that may read answers, or *',
      default: [],
    }),
    redirectHosts: Type.Array(Type.String({ minLength: 1 }), {
      description: 'hosts that links may lead to: example.com, example.com:8443, *.example.com',
      default: [],
    }),
    linkKeys: Type.Optional(
      // No comma and no space: a list of them passes through the environment.
      Type.Array(Type.String({ pattern: '^[^,\\s]+$' }), {
        description: 'keys that links are signed with, ID:SECRET each; the first signs',
        secret: true,
      }),
    ),
    keepIp: Type.Boolean({
      description: 'put the address of the client into clicks of links and pixels',
      default: true,
    }),
    keepUserAgent: Type.Boolean({
      description: 'put the User-Agent into clicks of links and pixels',
      default: true,
    }),
  }),
  stream: Type.Object({
    workers: count('stream processes that `up` runs', 2),
    flushIntervalMs: timerMs('longest time between two flushes', 1_000, 1),
    flushClicksMax: count('clicks in one flush at most', 500_000),
    dedupeBytesMax: count('bytes of remembered ids in one process', 512 * 1024 * 1024, 1024 * 1024),
    outOfOrdernessMs: ms('how far the watermark stays behind the newest click', 30_000),
    idleTimeoutMs: ms('after this long at its end a partition holds no watermark back', 30_000, 1),
    graceMs: ms('how long after its end an hour waits before it is due to be cut', 300_000),
    sessionTimeoutMs: timerMs('silence after which a worker loses its partitions', 30_000, 6_000),
    shutdownTimeoutMs: timerMs('time for the last flush when a service is told to stop', 15_000, 1),
  }),
  archive: Type.Object({
    groupId: text('consumer group of the archive', 'truecount-archive'),
    flushIntervalMs: timerMs('longest time between two commits of the archive', 30_000, 1),
    flushBytesMax: count('bytes of clicks buffered before files are written', 128 * 1024 * 1024),
    buckets: Type.Integer({
      description: 'files that an hour with many clicks is split into, by ad',
      default: 4,
      minimum: 1,
      maximum: 256,
    }),
    sharedRowsMax: count('hours with fewer clicks in a commit share one file', 20_000),
  }),
  batch: Type.Object({
    memoryMb: count('memory that DuckDB may use in one task before it spills, in MiB', 1_024, 64),
    threads: count('threads of DuckDB in one task', 1),
    tasks: count('tasks that one worker runs side by side: of settlements, and of replays', 2),
    rowsPerTaskMin: count('an hour is split into tasks of at least so many rows', 250_000),
    rowsPerFileMax: count('a lake file with more rows is refused', 50_000_000),
  }),
  reconcile: Type.Object({
    thresholdPpm: count(
      'clicks per million of an hour that may differ before somebody is told',
      1_000,
      0,
    ),
    overThreshold: Type.Union([Type.Literal('alert'), Type.Literal('hold')], {
      description: 'alert: publish and tell; hold: wait for truecount publish --release',
      default: 'alert',
    }),
  }),
  settle: Type.Object({
    intervalMs: timerMs('how often due hours are looked for', 60_000, 1_000),
    lateAfterMs: ms(
      'how long late clicks of a final hour wait before it is looked at again',
      300_000,
    ),
    hoursMax: count('hours that one run settles at most', 48),
    keepGenerations: count('generations of an hour that are always kept', 10),
    keepMs: ms('and all younger than this', 90 * 24 * HOUR_MS),
  }),
  temporal: Type.Object({
    namespace: text('namespace of the workflows', 'default'),
    uiUrl: absent('address of the Temporal UI, for links'),
  }),
});

type DeepReadonly<T> = T extends readonly (infer U)[]
  ? readonly DeepReadonly<U>[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T;

/** The resolved settings: complete, checked and frozen; times in ms, sizes in bytes. */
export type Config = DeepReadonly<Static<typeof ConfigSchema>> & {
  /** Absolute. */
  readonly home: string;
  /** Given, or the `lake` folder under home. */
  readonly lakeUrl: string;
};

/** One leaf of the tree. */
export interface Setting {
  /** Path with dots, as in `stream.flushIntervalMs`. */
  readonly key: string;
  readonly env: string;
  readonly schema: TSchema;
  readonly kind: 'string' | 'integer' | 'boolean' | 'list';
  readonly secret: boolean;
  readonly description: string;
  readonly fallback: unknown;
}

/** All settings in the order of the schema. */
export const SETTINGS: readonly Setting[] = leaves(ConfigSchema.properties, '');

function leaves(properties: Readonly<Record<string, TSchema>>, prefix: string): Setting[] {
  return Object.entries(properties).flatMap(([name, schema]) => {
    const node = schema as TSchema & {
      type?: string;
      properties?: Record<string, TSchema>;
      secret?: boolean;
      description?: string;
      default?: unknown;
    };
    const key = prefix + name;
    if (node.properties !== undefined) return leaves(node.properties, `${key}.`);
    return [
      {
        key,
        env: `TRUECOUNT_${key.replace(/([a-z])([A-Z])/g, '$1_$2').replace(/\./g, '_')}`.toUpperCase(),
        schema,
        kind: kindOf(node.type),
        secret: node.secret === true,
        description: node.description ?? '',
        fallback: node.default,
      },
    ];
  });
}

function kindOf(type: string | undefined): Setting['kind'] {
  if (type === 'integer' || type === 'boolean') return type;
  return type === 'array' ? 'list' : 'string';
}
