/** A JSON value with one thing in it replaced, removed or added, somewhere. */
export function damaged(value: unknown, at: number, by: unknown, how: number): unknown {
  const places: { holder: Record<string, unknown>; key: string }[] = [];
  const copy = { root: structuredClone(value) };
  const visit = (holder: Record<string, unknown>): void => {
    for (const key of Object.keys(holder)) {
      places.push({ holder, key });
      const inner = holder[key];
      if (typeof inner === 'object' && inner !== null) visit(inner as Record<string, unknown>);
    }
  };
  visit(copy);
  const { holder, key } = places[at % places.length]!;
  if (how === 0) holder[key] = by;
  else if (how === 1 && !Array.isArray(holder)) delete holder[key];
  else if (Array.isArray(holder[key])) (holder[key] as unknown[]).push(by);
  else if (typeof holder[key] === 'object' && holder[key] !== null) {
    (holder[key] as Record<string, unknown>)['more'] = by;
  }
  return copy.root;
}
