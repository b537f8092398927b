#!/usr/bin/env python3
"""Puts the S3 servers of the tests, and AWS's S3 Encryption Client (s3ec), where they stay
(install.py).

    s3_install.py [NAME...]     all of them, or those named; tells what is there and what is not
"""

import sys
from pathlib import Path

import install
from install import Go, Maven, Venv

HERE = Path(__file__).resolve().parent
RECIPES = {recipe.name: recipe for recipe in (
    # The pin keeps a range in some pom from fetching every version that there is.
    Maven("s3proxy", ["org.gaul:s3proxy:4.1.0"],
          ["com.fasterxml.jackson.core:jackson-annotations:2.22"]),
    # The second compiles S3ecClient.java: a JRE has no compiler.
    Maven("s3ec", ["software.amazon.encryption.s3:amazon-s3-encryption-client-java:4.0.1",
                   "org.eclipse.jdt:ecj:3.33.0"]),
    Venv("moto", HERE / "s3_requirements.txt"),
    Go("versitygw", "github.com/versity/versitygw/cmd/versitygw", "v1.8.0"),
    Go("minio", "github.com/minio/minio", "v0.0.0-20260212201848-7aac2a2c5b7c"),
)}


if __name__ == "__main__":
    sys.exit(install.main(RECIPES, sys.argv[1:]))
