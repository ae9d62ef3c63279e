"""Keep to a provider's rate limits: what its headers tell of them (`headers`), how fast to ask (`allowance` where they
are told, `pace` where they must be found), and the limiter that sends each request when its turn comes (`limiter`).
"""
