/**
 * Whether an `Accept` header (RFC 9110, 12.5.1) prefers a media type over the one that is answered by
 * default: it must be named, since a wildcard fits the default as well, with a weight not below the
 * other's.
 */
export function prefers(accept: string | undefined, wanted: string, fallback: string): boolean {
  const weights = weightsOf(accept ?? '');
  const weight = weights.get(wanted) ?? 0;
  return weight > 0 && weight >= (weights.get(fallback) ?? 0);
}

function weightsOf(accept: string): Map<string, number> {
  return new Map(
    accept.split(',').map((range) => {
      const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
      const q = parameters.find((parameter) => parameter.startsWith('q='));
      const weight = q === undefined ? 1 : Number(q.slice(2));
      return [type, Number.isFinite(weight) ? weight : 0];
    }),
  );
}
