/** The pattern of a name written between slashes, or undefined for a plain name. */
export function namePattern(name: string): RegExp | undefined {
  const slashed = /^\/(.+)\/([a-z]*)$/s.exec(name)
  if (slashed === null) return undefined
  const [, source, flags] = slashed
  if (!/^[isu]*$/.test(flags!))
    throw new SyntaxError(`flags of a name pattern are i, s and u, not '${flags}'`)
  return new RegExp(source!, flags)
}
