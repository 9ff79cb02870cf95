/** A V8 CPU profile, as `--cpu-prof` writes it. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string };
  readonly children?: readonly number[];
}

const IDLE = 'idle: waiting for Postgres or Kafka';
const GC = 'garbage collection';
const OTHER = 'other';

/** The first entry that fits names the stage; a frame that fits none belongs to its caller's. */
const STAGES: readonly (readonly [stage: string, url: RegExp, functionName?: RegExp])[] = [
  ['record batches: CRC', /^$/, /^crc32c$/],
  ['record batches: walk', /stream\/kafka\/(record-batch|compression)\.js$/],
  ['full parser', /core\/(click\/(parse|timestamp)|text)\.js$/],
  ['full parser', /core\/click\/decode\.js$/, /^(fill|write)$/],
  ['scan', /core\/click\//],
  ['hash and dedupe', /stream\/(hash128|id-set)\.js$/],
  ['interning', /stream\/(interner|compiled-rules)\.js$/],
  ['cells and positions', /stream\/(cell-buffer|position-log|counter|partition-state)\.js$/],
  ['flush: build and encode', /(stream\/flush-buffer|store\/.*)\.js$/],
  ['flush: Postgres protocol', /node_modules\/(pg|pg-[a-z]+|postgres-[a-z]+)\//],
  ['fetch: kafkajs and its hooks', /(node_modules\/kafkajs|stream\/kafka)\//],
  ['other', /stream\/|runtime\/|node_modules\//],
];

/** The catch-up lies between the first record and the last piece of a flush. */
const FIRST = 'onRecord';
const LAST = 'flush: build and encode';

/** Seconds by stage, largest first, from the first click to the end of the last flush. */
export function secondsByStage(profile: CpuProfile): Map<string, number> {
  const stages = stagesOf(profile.nodes);
  const { samples, timeDeltas } = profile;
  const records = new Set(
    profile.nodes.filter((node) => node.callFrame.functionName === FIRST).map(({ id }) => id),
  );
  const first = samples.findIndex((id) => records.has(id));
  const last = samples.findLastIndex((id) => stages.get(id) === LAST);
  const micros = new Map<string, number>();
  for (let i = first; i <= last; i++) {
    const stage = stages.get(samples[i]!)!;
    // A sample stands for the time up to the next one.
    micros.set(stage, (micros.get(stage) ?? 0) + (timeDeltas[i + 1] ?? 0));
  }
  return new Map(
    [...micros].sort((a, b) => b[1] - a[1]).map(([stage, us]) => [stage, us / 1e6] as const),
  );
}

function stagesOf(nodes: readonly ProfileNode[]): Map<number, string> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const stages = new Map<number, string>();
  const visit = (node: ProfileNode, callers: string): void => {
    const stage = stageOf(node) ?? callers;
    stages.set(node.id, stage);
    for (const child of node.children ?? []) visit(byId.get(child)!, stage);
  };
  visit(nodes[0]!, OTHER);
  return stages;
}

function stageOf({ callFrame: { functionName, url } }: ProfileNode): string | undefined {
  if (functionName === '(idle)') return IDLE;
  if (functionName === '(garbage collector)') return GC;
  return STAGES.find(([, path, name]) => path.test(url) && (name?.test(functionName) ?? true))?.[0];
}
