//! The in-process S3 endpoint is what it claims to be, as far as object_store's own suite can tell.

use anyhow::Result;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::integration;
use tidegate_tests::s3::{BUCKET, Endpoint};

fn client(endpoint: &Endpoint) -> Result<AmazonS3> {
    let [access_key, secret_key] = endpoint.secrets();
    Ok(AmazonS3Builder::new()
        .with_bucket_name(BUCKET)
        .with_endpoint(endpoint.url())
        .with_region("us-east-1")
        .with_allow_http(true)
        .with_access_key_id(access_key)
        .with_secret_access_key(secret_key)
        .with_metadata_endpoint("http://127.0.0.1:9")
        .build()?)
}

#[tokio::test]
async fn it_keeps_objects() -> Result<()> {
    let endpoint = Endpoint::start().await?;
    integration::put_get_delete_list(&client(&endpoint)?).await;
    Ok(())
}

#[tokio::test]
async fn it_honours_conditions() -> Result<()> {
    let endpoint = Endpoint::start().await?;
    integration::put_opts(&client(&endpoint)?, true).await;
    Ok(())
}

#[tokio::test]
async fn it_lists_by_segments_and_offsets() -> Result<()> {
    let endpoint = Endpoint::start().await?;
    let client = client(&endpoint)?;
    integration::list_with_delimiter(&client).await;
    integration::list_uses_directories_correctly(&client).await;
    integration::list_with_offset_exclusivity(&client).await;
    Ok(())
}

#[tokio::test]
async fn it_copies() -> Result<()> {
    let endpoint = Endpoint::start().await?;
    integration::rename_and_copy(&client(&endpoint)?).await;
    Ok(())
}
