import type { CpuProfile } from '../profile/stages.js';

/** Where a sample of the collector belongs, by the file of the function that ran; first hit wins. */
const PARTS: readonly [part: string, file: RegExp][] = [
  ['decode', /\/(core\/|collect\/(judge|split))/],
  ['queue and answer', /\/collect\//],
  ['fastify', /\/(fastify|find-my-way|@fastify|avvio|toad-cache)\//],
  ['metrics', /\/prom-client\/|\/tdigest\//],
  ['broker client', /\/(kafkajs|ingest|stream\/kafka)\//],
  ['http', /^node:/],
];
const BY_FUNCTION: ReadonlyMap<string, string> = new Map([
  ['(idle)', 'idle'],
  ['(garbage collector)', 'garbage collection'],
  ['(program)', 'native: sockets, V8'],
]);

/** Seconds of a profile by part, the largest first; idle left out. */
export function secondsByPart(profile: CpuProfile): Map<string, number> {
  const parts = new Map(profile.nodes.map(({ id, callFrame }) => [id, partOf(callFrame)]));
  const seconds = new Map<string, number>();
  profile.samples.forEach((id, i) => {
    const part = parts.get(id) ?? 'other';
    const took = Math.max(0, profile.timeDeltas[i] ?? 0) / 1e6;
    seconds.set(part, (seconds.get(part) ?? 0) + took);
  });
  seconds.delete('idle');
  return new Map([...seconds].sort(([, a], [, b]) => b - a));
}

function partOf({ functionName, url }: { functionName: string; url: string }): string {
  const known = BY_FUNCTION.get(functionName);
  if (known !== undefined) return known;
  if (url === '') return 'native: sockets, V8';
  return PARTS.find(([, file]) => file.test(url))?.[0] ?? 'other';
}
