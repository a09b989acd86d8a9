# SPDX-License-Identifier: Apache-2.0
"""ME-MHACL, stage 1: encoders learn from recordings without labels which people met the same moment.

Only the abstract of ME-MHACL (arXiv 2308.01919) could be read, so this stage follows SGMC (arXiv 2208.00877),
whose method is public.
"""
