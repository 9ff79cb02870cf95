/** Runs a look at a path. Gone meanwhile is nothing; another failure is noted. */
export async function attempt<T>(
  path: string,
  unreadable: Map<string, string>,
  look: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') unreadable.set(path, code === 'EACCES' ? 'permission denied' : message);
    return undefined;
  }
}
