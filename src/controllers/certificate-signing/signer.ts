/** Signs what a CertificateSigningRequest asks for; compose/ hands in the one that holds the keys. */
export interface CertificateSigner {
  /** Whether requests to this signerName are its business; others are left to signers of the tenant's own. */
  handles(signerName: string): boolean;
  sign(request: SigningRequest): Promise<SigningOutcome>;
}

export interface SigningRequest {
  signerName: string;
  /** Whose API the request was made in: the certificate is good for nothing else. */
  tenant: string;
  /** Of its Tenant object, where it has one: a later tenant of the name is another. */
  tenantUid?: string | undefined;
  /** PKCS #10 in PEM. */
  requestPem: string;
  usages: string[];
  expirationSeconds?: number;
}

/** A refusal is final and is told to the requester. */
export type SigningOutcome = { certificatePem: string } | { refusal: string };
