// Random numbers from a seed: the same seed gives the same series on every machine.

/** splitmix32: good enough for noise, and two neighbouring seeds have nothing in common. */
export function randomFrom(seed) {
  let state = Math.imul(seed, 0x9e3779b1) | 0
  const unit = () => {
    state = (state + 0x9e3779b9) | 0
    let word = state ^ (state >>> 16)
    word = Math.imul(word, 0x21f0aaad)
    word ^= word >>> 15
    word = Math.imul(word, 0x735a2d97)
    word ^= word >>> 15
    return (word >>> 0) / 2 ** 32
  }
  return {
    unit,
    between: (low, high) => low + (high - low) * unit(),
    /** Evenly spread over the orders of magnitude. */
    scale: (low, high) => low * (high / low) ** unit(),
    chance: (probability) => unit() < probability,
    pick: (choices) => choices[Math.floor(unit() * choices.length)],
    normal: () => Math.sqrt(-2 * Math.log(1 - unit())) * Math.cos(2 * Math.PI * unit()),
    exponential: (mean) => -mean * Math.log(1 - unit()),
  }
}
